// Holds the public surface still: the names that each package's index exports, in test/surface/<package>.txt.
//
//   node scripts/surface.mjs            fails when the built packages export something else than the files say
//   node scripts/surface.mjs --update   writes the files anew
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "./tool.mjs";

const update = process.argv.includes("--update");
let failed = false;

for (const name of readdirSync(join(root, "packages"))) {
  const dist = join(root, "packages", name, "dist");
  if (!existsSync(join(root, "packages", name, "src/index.ts"))) {
    console.warn(`warning: packages/${name} has no src/index.ts yet`);
    continue;
  }
  const found = await surface(name, dist);
  const file = join(root, "test/surface", `${name}.txt`);
  if (update) {
    mkdirSync(join(root, "test/surface"), { recursive: true });
    writeFileSync(file, found.map((line) => `${line}\n`).join(""));
    console.log(`${name}: ${found.length} names written`);
    continue;
  }
  const held = existsSync(file) ? readFileSync(file, "utf8").split("\n").filter(Boolean) : [];
  const changes = [
    ...found.filter((line) => !held.includes(line)).map((line) => `  + ${line}`),
    ...held.filter((line) => !found.includes(line)).map((line) => `  - ${line}`),
  ];
  console.log(`${name}: ${found.length} names, ${changes.length} changes`);
  if (changes.length > 0) {
    failed = true;
    console.error(`${changes.join("\n")}\n  meant to change? node scripts/surface.mjs --update`);
  }
}
process.exit(failed ? 1 : 0);

/** "value Name" and "type Name" lines. A class is a value; that it is a type as well goes without saying. */
async function surface(name, dist) {
  const declared = declaredNames(join(dist, "index.d.ts"));
  const values = Object.keys(await import(pathToFileURL(join(dist, "index.js")).href)).sort();
  // What runs is the truth for values. The declarations must tell the same story.
  const said = declared.filter(({ kind }) => kind === "value").map((one) => one.name);
  for (const value of values) if (!said.includes(value)) report(name, `exports ${value}, which has no declaration`);
  for (const value of said) if (!values.includes(value)) report(name, `declares ${value}, which is not exported`);
  const types = declared.filter(({ kind }) => kind === "type").map((one) => one.name);
  return [...values.map((value) => `value ${value}`), ...types.sort().map((type) => `type ${type}`)];
}

function report(name, message) {
  failed = true;
  console.error(`${name}: ${message}`);
}

/**
 * The exported names of a declaration file. An index holds explicit named re-exports only (the house's rule, and
 * `export *` is refused here), and verbatimModuleSyntax makes every type say `type`: no type checker is needed.
 */
function declaredNames(file) {
  const text = readFileSync(file, "utf8")
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/\/\/.*$/gm, "");
  if (/export\s*\*/.test(text)) {
    report(file, "has `export *`: name what is exported");
  }
  const names = [];
  for (const [, wholeType, list] of text.matchAll(/export\s+(type\s+)?\{([^}]*)\}/g)) {
    for (const item of list
      .split(",")
      .map((part) => part.trim())
      .filter(Boolean)) {
      const kind = wholeType || item.startsWith("type ") ? "type" : "value";
      names.push({
        kind,
        name: item
          .replace(/^type\s+/, "")
          .split(/\s+as\s+/)
          .at(-1),
      });
    }
  }
  const direct = /export\s+(?:declare\s+)?(?:abstract\s+)?(function|const|let|class|enum|interface|type)\s+([\w$]+)/g;
  for (const [, keyword, name] of text.matchAll(direct)) {
    const kind = keyword === "interface" || keyword === "type" ? "type" : "value";
    if (!names.some((one) => one.name === name)) names.push({ kind, name });
  }
  return names;
}
