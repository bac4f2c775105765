/** What `pnpm soak:signals` runs fifty times, a few times over. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const script = fileURLToPath(new URL("../scripts/signals.mjs", import.meta.url));

test("SIGTERM and SIGHUP under 64 busy connections lose no request that was taken in", { timeout: 90_000 }, () => {
  const { PORT: _port, HOST: _host, ...env } = process.env;
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, "--rounds", "5", "--seed", "1"], {
    env,
    encoding: "utf8",
    timeout: 80_000,
    killSignal: "SIGKILL",
  });
  expect(stderr).toBe("");
  expect(stdout).toContain("lost: 0\n");
  // Without traffic at the signal it would show nothing.
  expect(Number(/^SIGTERM: (\d+) answered/m.exec(stdout)?.[1])).toBeGreaterThan(100);
  expect(Number(/^SIGHUP: (\d+) answered/m.exec(stdout)?.[1])).toBeGreaterThan(100);
  expect(status).toBe(0);
});
