/** CommonJS programs: what they require is the ES modules of this package, whoever does the requiring. */
import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { fixtures } from "./support/server.ts";

const run = promisify(execFile);
const runtime = createRequire(createRequire(import.meta.url).resolve("@duck-ts/runtime/package.json"));
const tsx = pathToFileURL(runtime.resolve("tsx")).href;

test.each([
  ["Node", []],
  // tsx makes CommonJS of what is required. What createServer imports late is an ES module, and so the packages are
  // there twice; the second time over they found their own task's name taken.
  ["tsx", ["--import", tsx]],
])("a program that requires the package runs with %s", async (_by, flags) => {
  const { stdout } = await run(process.execPath, [...flags, `${fixtures}commonjs/serve.cjs`]);
  expect(JSON.parse(stdout)).toEqual([200, 8, 9]);
});
