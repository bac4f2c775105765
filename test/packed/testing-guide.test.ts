/** docs/testing.md, done as it says: its app, its test of it, and vitest, in a folder of a user's. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it, onTestFinished } from "vitest";

const home = realpathSync(fileURLToPath(new URL("../..", import.meta.url)));
const guide = readFileSync(join(home, "docs/testing.md"), "utf8");

it("tests an app with vitest as docs/testing.md tells, and fails where the app does", async () => {
  const folder = mkdtempSync(join(home, "app-guide-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  // vitest would find that of these very tests, further up.
  writeFileSync(join(folder, "vitest.config.ts"), "export default {};");
  const files = [...guide.matchAll(/```ts[^\n]* name=(\S+)[^\n]*\n([\s\S]*?)```/g)];
  for (const [, name = "", code = ""] of files) writeFileSync(join(folder, name), code);
  expect(files.map(([, name]) => name)).toEqual(expect.arrayContaining(["app.ts", "app.test.ts"]));

  const vitest = async (): Promise<{ success: boolean; numPassedTests: number; numFailedTests: number }> => {
    const args = [join(home, "node_modules/vitest/vitest.mjs"), "run", "--root", folder, "--reporter=json"];
    // What the runner of this very test has set in the environment is not for the one that it starts.
    const env = { PATH: process.env["PATH"], HOME: process.env["HOME"] };
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: folder, env }).catch(
      (error: { stdout: string }) => error,
    );
    return JSON.parse(stdout.slice(stdout.indexOf("{")));
  };
  expect(await vitest()).toMatchObject({ success: true, numPassedTests: 2, numFailedTests: 0 });
  const app = join(folder, "app.ts");
  writeFileSync(app, readFileSync(app, "utf8").replace("small and quick", "large and slow"));
  expect(await vitest()).toMatchObject({ success: false, numPassedTests: 1, numFailedTests: 1 });
});
