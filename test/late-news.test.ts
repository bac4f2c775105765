import { getOrCreateThreadManager } from "@duck-ts/managers";
import { TaskTimeoutError, task } from "@duck-ts/runtime";
import { expect, it } from "vitest";

const spins = task((begun: Int32Array) => {
  Atomics.store(begun, 0, 1);
  Atomics.notify(begun, 0);
  for (;;);
});

/**
 * The supervisor says first that the task is past its time, and after the grace that its thread was ended. A submitter
 * that stands still meanwhile finds both at once. It used to empty its line before it handled the first, so that the
 * second came first, and the task seemed to have crashed.
 */
it("a deadline is told as a deadline, also when its thread has been ended before the submitter looks", async () => {
  const pool = getOrCreateThreadManager("late").start({ maxWorkers: 1, abortGraceMs: 10 });
  const begun = new Int32Array(new SharedArrayBuffer(4));
  const future = pool.submitTask(spins(begun), { timeoutMs: 3_000, logException: false });
  // Submitting goes at the end of the turn; from then on main stands still until the thread is gone.
  await null;
  expect(Atomics.wait(begun, 0, 0, 10_000)).not.toBe("timed-out");
  const ended = new Int32Array(new SharedArrayBuffer(4));
  while (pool.getPool().workers > 0) Atomics.wait(ended, 0, 0, 5);
  await expect(future).rejects.toBeInstanceOf(TaskTimeoutError);
  await pool.stop();
}, 20_000);
