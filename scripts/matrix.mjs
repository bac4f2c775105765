// Runs the suite on every Node line that is supported, each taken from npm's `node` package.
//
//   pnpm test:matrix [--only 24] [--only 26] [vitest's filters]
//
// The binaries are kept in node_modules/.cache/matrix; the packages must be built.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { root } from "./tool.mjs";

/** Of the oldest the very first release that is supported, of the others what is newest. */
const supported = { 20: "20.19.0", 22: "22", 24: "24", 26: "26" };

const only = [];
const filters = [];
for (let args = process.argv.slice(2); args.length > 0; ) {
  const arg = args.shift();
  if (arg === "--only") only.push(args.shift());
  else if (arg !== "--") filters.push(arg);
}
const unknown = only.filter((line) => !(line in supported));
if (unknown.length > 0) {
  console.error(`matrix: --only takes one of ${Object.keys(supported).join(", ")}, got ${unknown.join(", ")}`);
  process.exit(2);
}

const results = [];
for (const line of only.length > 0 ? only : Object.keys(supported)) {
  const node = binary(line);
  const version = node && spawnSync(node, ["--version"], { encoding: "utf8" }).stdout?.trim();
  if (!version) {
    results.push({ line, verdict: "no binary" });
    continue;
  }
  console.log(`\n=== Node ${version}`);
  const { status } = spawnSync(node, [join(root, "scripts/test.mjs"), ...filters], {
    cwd: root,
    stdio: "inherit",
    // A test that starts `node` means the one that runs it.
    env: { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH}` },
  });
  results.push({ line: version, verdict: status === 0 ? "passed" : "failed" });
}

console.log();
for (const { line, verdict } of results) console.log(`Node ${line}: ${verdict}`);
process.exit(results.every(({ verdict }) => verdict === "passed") ? 0 : 1);

/** The path of a Node of that line; fetched when it is not here yet. */
function binary(line) {
  const folder = join(root, "node_modules/.cache/matrix", supported[line]);
  const node = join(folder, "node_modules/node/bin", process.platform === "win32" ? "node.exe" : "node");
  if (existsSync(node)) return node;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
  // npm's `node` package is a script that links the platform's binary, so install scripts have to run.
  const args = [
    "install",
    `node@${supported[line]}`,
    "--ignore-scripts=false",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
  ];
  spawnSync("npm", args, { cwd: folder, stdio: "inherit", shell: process.platform === "win32" });
  return existsSync(node) ? node : undefined;
}
