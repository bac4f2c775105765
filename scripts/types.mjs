// Type-checks everything: each package's sources, the apps, and the root tsconfig.json with all tests (the type
// tests, *.test-d.ts, among them: they hold @ts-expect-error and expectTypeOf, so plain tsc judges them).
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { root, tool } from "./tool.mjs";

const tsc = tool("typescript", "tsc");

const projects = ["packages", "apps"]
  .flatMap((folder) => readdirSync(join(root, folder)).map((name) => `${folder}/${name}`))
  .filter((folder) => existsSync(join(root, folder, "tsconfig.json")) && existsSync(join(root, folder, "src")));

let failed = 0;
for (const project of [...projects, "."]) {
  const { status } = spawnSync(process.execPath, [tsc, "-p", project, "--noEmit", "--pretty", "false"], {
    cwd: root,
    stdio: "inherit",
  });
  if (status !== 0) failed += 1;
}
console.log(`${projects.length + 1} projects type-checked, ${failed} with errors`);
process.exit(failed === 0 ? 0 : 1);
