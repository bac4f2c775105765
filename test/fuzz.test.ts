/** About a minute of what `pnpm fuzz` does for longer, always the same cases. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const script = fileURLToPath(new URL("../scripts/fuzz.mjs", import.meta.url));

test("what crosses from a client to a thread and back is what was sent, thousands of times", {
  timeout: 400_000,
}, () => {
  const { PORT: _port, HOST: _host, ...env } = process.env;
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, "--runs", "2000", "--seed", "1"], {
    env,
    encoding: "utf8",
    timeout: 390_000,
    killSignal: "SIGKILL",
  });
  expect(stderr).toBe("");
  expect(stdout).toContain("\nall held\n");
  expect(Number(/^(\d+) cases/m.exec(stdout)?.[1])).toBeGreaterThan(60_000);
  expect(status).toBe(0);
});
