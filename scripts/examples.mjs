// Executes the examples that the documentation shows, so that none of them rots.
//
// Read are the ```ts and ```js fences of README.md, docs/*.md, packages/*/README.md and apps/*/README.md, and those in
// the doc comments of packages/*/src. Each says in its info string what it is:
//
//   ts run       type-checked and executed, 30 s at most; a ```text output fence right behind it is what it must print
//                ("..." in it stands for anything)
//   ts check     type-checked
//   ts ignore    neither; for fragments
//
// and optionally:
//
//   name=tasks.ts   the file's name, so that others can import it    group=first-app   fences that form one example
//   exit=1          the exit code that is expected
//
// In a group all files are written first, then those marked `run` are executed.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { transformSync } from "esbuild";
import { root, tool } from "./tool.mjs";

const deadlineMs = 30_000;
const marks = ["run", "check", "ignore"];
const attributes = ["name", "group", "exit"];
const home = join(root, "node_modules/.cache/examples");

const problems = [];
const fences = sources().flatMap(({ file, text }) => readFences(file, text));
for (const fence of fences) place(fence);
const shown = fences.filter(({ folder }) => folder);

rmSync(home, { recursive: true, force: true });
mkdirSync(home, { recursive: true });
writeFileSync(join(home, "package.json"), '{ "type": "module" }\n');
linkDependencies();
for (const { path, code } of shown) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, code);
}
typecheck(shown.filter(({ language }) => language === "ts"));
for (const { path, code, language } of shown) {
  if (language === "ts") writeFileSync(path.replace(/\.ts$/, ".mjs"), transpile(code));
}

const runnable = shown.filter(({ mark }) => mark === "run");
const queue = [...runnable];
const lane = async () => {
  for (let fence = queue.shift(); fence; fence = queue.shift()) await execute(fence);
};
await Promise.all([lane(), lane()]);

console.log(`${fences.length} examples: ${shown.length} type-checked, ${runnable.length} executed`);
for (const problem of problems) console.error(problem);
process.exit(problems.length === 0 ? 0 : 1);

/** Every text that may hold fences. In a source file all but the doc comments is blanked, so that lines keep their number. */
function sources() {
  const list = (folder, pick) =>
    existsSync(join(root, folder)) ? readdirSync(join(root, folder), pick).map((name) => `${folder}/${name}`) : [];
  const markdown = [
    "README.md",
    ...list("docs").filter((name) => name.endsWith(".md")),
    ...[...list("packages"), ...list("apps")].map((folder) => `${folder}/README.md`),
  ];
  const typescript = list("packages").flatMap((folder) =>
    list(`${folder}/src`, { recursive: true }).filter((name) => name.endsWith(".ts")),
  );
  return [
    ...markdown
      .filter((file) => existsSync(join(root, file)))
      .map((file) => ({ file, text: readFileSync(join(root, file), "utf8") })),
    ...typescript.map((file) => ({ file, text: docComments(readFileSync(join(root, file), "utf8")) })),
  ];
}

function docComments(text) {
  let inside = false;
  return text
    .split("\n")
    .map((line) => {
      if (!inside && /^\s*\/\*\*/.test(line)) inside = true;
      const kept = inside ? line.replace(/^\s*(\/\*\*|\*(?!\/)) ?/, "") : "";
      if (inside && line.includes("*/")) inside = false;
      return kept;
    })
    .join("\n");
}

function readFences(file, text) {
  const found = [];
  let open;
  for (const [index, line] of text.split("\n").entries()) {
    const fence = /^(\s*)(`{3,})\s*(.*)$/.exec(line);
    if (open) {
      const closes = fence && fence[3] === "" && fence[2].length >= open.ticks;
      if (!closes) open.lines.push(line.startsWith(open.indent) ? line.slice(open.indent.length) : line.trimStart());
      else {
        finish(open);
        open = undefined;
      }
    } else if (fence) {
      const [language = "", ...words] = fence[3].split(/\s+/);
      open = { file, line: index + 1, indent: fence[1], ticks: fence[2].length, language, words, lines: [] };
    }
  }
  return found;

  function finish({ language, words, lines, line }) {
    const code = `${lines.join("\n")}\n`;
    const short = { typescript: "ts", javascript: "js", mjs: "js", mts: "ts" }[language] ?? language;
    if (short === "ts" || short === "js") found.push({ file, line, language: short, words, code, last: true });
    else if (language === "text" && words[0] === "output" && found.at(-1)?.last) found.at(-1).output = code;
    // An output belongs to the fence right before it, not to one further up.
    if (short !== "ts" && short !== "js" && found.length > 0) found.at(-1).last = false;
  }
}

/** Reads the info string and decides where the example is written. */
function place(fence) {
  const where = `${fence.file}:${fence.line}`;
  const options = {};
  for (const word of fence.words) {
    const [key, value] = word.split("=");
    if (value === undefined && marks.includes(word) && !fence.mark) fence.mark = word;
    else if (value && attributes.includes(key)) options[key] = value;
    else
      problems.push(`${where}: does not understand "${word}"; known: ${marks.join(", ")}, ${attributes.join("=, ")}=`);
  }
  if (!fence.mark) problems.push(`${where}: mark this ${fence.language} example run, check or ignore`);
  if (!fence.mark || fence.mark === "ignore") return;
  const slug = fence.file.replace(/[^\w.]+/g, "_");
  fence.folder = join(home, options.group ? `${slug}-${options.group}` : `${slug}-line-${fence.line}`);
  fence.path = join(fence.folder, options.name ?? (fence.language === "ts" ? "example.ts" : "example.mjs"));
  fence.exit = Number(options.exit ?? 0);
  const twin = fences.find((other) => other !== fence && other.path === fence.path);
  if (twin) problems.push(`${where}: the same name and group as line ${twin.line}; say name=`);
}

/** An example may import what a user of the packages has: they themselves, and what they depend on. */
function linkDependencies() {
  for (const folder of readdirSync(join(root, "packages"))) {
    const { name, dependencies = {} } = JSON.parse(
      readFileSync(join(root, "packages", folder, "package.json"), "utf8"),
    );
    const targets = { [name]: join(root, "packages", folder) };
    for (const one of Object.keys(dependencies)) targets[one] = join(root, "packages", folder, "node_modules", one);
    for (const [one, target] of Object.entries(targets)) {
      const link = join(home, "node_modules", one);
      mkdirSync(dirname(link), { recursive: true });
      if (!existsSync(link) && existsSync(target)) symlinkSync(target, link, "junction");
    }
  }
}

function typecheck(list) {
  if (list.length === 0) return;
  const config = {
    extends: "../../../tsconfig.base.json",
    compilerOptions: { noEmit: true, declaration: false, isolatedDeclarations: false },
    files: list.map(({ path }) => relative(home, path)),
  };
  writeFileSync(join(home, "tsconfig.json"), JSON.stringify(config, null, 2));
  const { status, stdout } = spawnSync(process.execPath, [tool("typescript", "tsc"), "-p", home, "--pretty", "false"], {
    cwd: home,
    encoding: "utf8",
  });
  if (status === 0) return;
  // Errors are told where the example stands, not where it was copied to.
  let said = stdout.trim();
  for (const { path, file, line } of list) {
    said = said.replaceAll(new RegExp(`${quoted(relative(home, path))}\\((\\d+),(\\d+)\\)`, "g"), (_, row, column) => {
      return `${file}:${line + Number(row)}:${column}`;
    });
  }
  problems.push(said);
}

/** Files of a group import each other as ./x.ts; what is executed lies beside them as ./x.mjs. */
function transpile(code) {
  const out = transformSync(code, { loader: "ts", format: "esm", target: "node20.19", sourcemap: "inline" }).code;
  return out.replace(/(["'])(\.{1,2}\/[^"'\n]+)\.ts\1/g, "$1$2.mjs$1");
}

function execute({ path, file, line, output, exit }) {
  const where = `${file}:${line}`;
  const args = ["--enable-source-maps", path.replace(/\.ts$/, ".mjs")];
  const child = spawn(process.execPath, args, { cwd: dirname(path), stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text) => {
    stderr += text;
  });
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGKILL");
  }, deadlineMs);
  return new Promise((resolve) => {
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      const printed = `\n--- stdout\n${stdout}--- stderr\n${stderr}`;
      if (late) problems.push(`${where}: still ran after ${deadlineMs} ms${printed}`);
      else if (code !== exit) problems.push(`${where}: ended with ${signal ?? code}, expected ${exit}${printed}`);
      else if (output !== undefined && !matches(stdout, output)) {
        problems.push(`${where}: printed something else than the docs say\n--- expected\n${output}${printed}`);
      }
      resolve();
    });
  });
}

function matches(printed, expected) {
  const pattern = expected.trim().split("...").map(quoted).join("[\\s\\S]*");
  return new RegExp(`^${pattern}$`).test(printed.trim().replaceAll("\r\n", "\n"));
}

function quoted(text) {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
