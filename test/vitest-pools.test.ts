/** An app's own tests, in every way in which vitest isolates them: processes, threads, and contexts of node:vm in both. */
import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const folder = fileURLToPath(new URL("fixtures/vitest-pools/", import.meta.url));
const vitest = join(createRequire(import.meta.url).resolve("vitest/package.json"), "../vitest.mjs");

// The story: in a context of node:vm there are two classes Error, and DOMException extends the other one. The runtime
// took it for no class of errors and refused to be loaded.
it.each(["forks", "threads", "vmForks", "vmThreads"])(
  "an app's tests run in vitest's pool %s",
  async (pool) => {
    const args = [vitest, "run", "--root", folder, `--pool=${pool}`, "--reporter=json"];
    // What the runner of this very test has set in the environment is not for the one that it starts.
    const env = { PATH: process.env["PATH"], HOME: process.env["HOME"] };
    const { stdout } = await promisify(execFile)(process.execPath, args, { env, timeout: 60_000 });
    expect(JSON.parse(stdout)).toMatchObject({ success: true, numPassedTests: 2, numFailedTests: 0 });
  },
  60_000,
);
