// Runs the suites on what is published: the packages are packed, installed with npm in an empty folder outside this
// workspace, and the tests that need no sources are copied beside them.
//
//   pnpm test:packed [--keep] [vitest's filters]      --keep leaves the folder behind, and says where it is
//
// In the workspace a package finds whatever lies anywhere near it. Out there it finds what its package.json declares
// and what its tarball holds, as a user's copy does. test/packed holds the tests that make sense out there only.
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { installInto, packAll } from "./pack.mjs";
import { runTests } from "./test.mjs";
import { root, tool } from "./tool.mjs";

/** These run scripts of the repository, drive a browser, or tell of nothing that packing could break. */
const staysBehind = [/^test\/(bundlers|errors|fuzz|signals|stress|blocking-matrix)\.|^test\/browser/];

/** Packs, installs, copies, checks types, runs; the counts are those of runTests. */
export function runPacked(args, options = {}) {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "duck-ts-packed-")));
  try {
    const packed = packAll();
    if (packed.length < 3) throw new Error("packed: a package is not built; run `pnpm build` first");
    furnish(folder, packed);
    const typesAgree = typecheck(folder);
    const counts = runTests(
      args.filter((arg) => arg !== "--keep"),
      { ...options, home: folder },
    );
    if (typesAgree) return counts;
    const failure = "FAILED  packed: the types of the installed packages are not what the tests expect";
    if (options.printClosing !== false) console.error(failure);
    return { ...counts, ok: false, failed: counts.failed + 1, failures: [...counts.failures, failure] };
  } finally {
    if (args.includes("--keep")) console.log(`packed: left in ${folder}`);
    else rmSync(folder, { recursive: true, force: true });
  }
}

/** What a user's folder would hold, and the tests in it at the places that they have here. */
function furnish(folder, packed) {
  installInto(folder, packed, [
    ...versions(root, ["vitest", "typescript", "@types/node"]),
    ...versions(join(root, "packages/server"), ["zod", "ws", "fastify"]),
    ...devDependencies("packages/server"),
    ...dependencies("apps/demo"),
  ]);
  const take = (path) => cpSync(join(root, path), join(folder, path), { recursive: true, filter: wanted });
  for (const path of ["packages/server/test", "test", "apps/demo", "README.md", "docs", "tsconfig.base.json"])
    take(path);
  cpSync(join(root, "test/packed/vitest.packed.ts"), join(folder, "vitest.config.ts"));
  cpSync(join(root, "test/packed/tsconfig.packed.json"), join(folder, "tsconfig.json"));
}

function wanted(path) {
  const name = relative(root, path).replaceAll("\\", "/");
  if (/(^|\/)(node_modules|data)$/.test(name) || staysBehind.some((pattern) => pattern.test(name))) return false;
  // Sources are not published: what tests them stays with them.
  return !/\.(test|test-d)\.ts$|\/support\//.test(name) || !/ from "[./]*\.\.\/src\//.test(readFileSync(path, "utf8"));
}

const manifest = (folder) => JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));
const others = (list = {}) => Object.keys(list).filter((name) => !name.startsWith("@duck-ts/"));
const devDependencies = (folder) => versions(join(root, folder), others(manifest(folder).devDependencies));
const dependencies = (folder) => versions(join(root, folder), others(manifest(folder).dependencies));

/** The versions that the workspace tests with: what differs out there shall be the packing alone. */
function versions(from, names) {
  return names.map((name) => {
    const { version } = JSON.parse(readFileSync(join(from, "node_modules", name, "package.json"), "utf8"));
    return `${name}@${version}`;
  });
}

/** The tests' types, and those of an app with a tsconfig.json of its own. */
function typecheck(folder) {
  const tsc = tool("typescript", "tsc", folder);
  const projects = [folder, join(folder, "test/packed/fixtures/typescript")];
  const results = projects.map((project) =>
    spawnSync(process.execPath, [tsc, "-p", project, "--pretty", "false"], { cwd: folder, stdio: "inherit" }),
  );
  return results.every(({ status }) => status === 0);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  process.exit(runPacked(process.argv.slice(2).filter((arg) => arg !== "--")).ok ? 0 : 1);
}
