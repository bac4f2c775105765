// Judges the packages as they are published: publint and attw on the packed tarballs.
import { spawnSync } from "node:child_process";
import { packAll } from "./pack.mjs";
import { tool } from "./tool.mjs";

const publint = tool("publint");
const attw = tool("@arethetypeswrong/cli", "attw");

let failed = false;
const packed = packAll();
for (const { name, tarball } of packed) {
  const results = [
    spawnSync(process.execPath, [publint, "run", tarball, "--strict"], { encoding: "utf8" }),
    spawnSync(process.execPath, [attw, tarball, "--profile", "esm-only", "--no-emoji"], { encoding: "utf8" }),
  ];
  const ok = results.every(({ status }) => status === 0);
  console.log(`${name}: ${ok ? "publint and attw agree" : "not fit to publish"}`);
  if (!ok) for (const { stdout, stderr } of results) console.error(stdout + stderr);
  failed ||= !ok;
}
if (packed.length === 0) console.warn("warning: no package is built yet");
process.exit(failed ? 1 : 0);
