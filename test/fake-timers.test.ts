import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const script = fileURLToPath(new URL("./fixtures/fake-timers.mjs", import.meta.url));

/**
 * In a process of its own: a blocked thread that goes by the test's clock in part looks at its bell for ever, and an event
 * loop that waits for the test's setImmediate() never takes the rest of a stream of answers.
 */
test("a test may have put a clock of its own in place of the timers and the time: awaiting, blocking and asking go on", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [script], { timeout: 30_000 });
  expect(JSON.parse(stdout)).toEqual({
    awaited: 2_000,
    blocked: 80,
    names: ["FutureTimeoutError", "FutureTimeoutError"],
    asked: true,
  });
});
