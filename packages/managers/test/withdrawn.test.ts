/**
 * A task that was sent to a free worker is withdrawn in two steps: it is marked, then the place in front of the worker is
 * left. A worker that came to the task in between passed over it, found its place still taken, and waited for what never
 * came: the place was lost to direct submissions, and a stop of the pool lasted until its time was over.
 */
import { expect, test } from "vitest";
import * as tasks from "./fixtures/tasks.mjs";
import { eventually, outcome, within } from "./support/gates.ts";
import { quiet, startPool } from "./support/managers.ts";

/** Runs `cancel`, standing still where it is about to leave a place, so that the worker gets there first. Says if it was. */
function heldUpLeaving(cancel: () => void): boolean {
  const { sub } = Atomics;
  let held = false;
  Atomics.sub = ((words: Int32Array, index: number, by: number) => {
    if (words.length > 2_048) {
      held = true; // a worker's block
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
    }
    return sub(words, index, by);
  }) as typeof Atomics.sub;
  try {
    cancel();
    return held;
  } finally {
    Atomics.sub = sub;
  }
}

test.each([1, 2])("a worker of %i that passes over a withdrawn task is free again", async (maxWorkers) => {
  const pool = startPool({ maxWorkers });
  await eventually(async () => {
    const task = pool.submitTask(tasks.echo({ sent: "at once" }), quiet);
    // Directly to a worker that is known, and before that has begun it: else there is nothing to withdraw from a place.
    const held = task.worker !== null && heldUpLeaving(() => task.cancel());
    await outcome(task);
    return held;
  }, "a task to be withdrawn");
  expect(await within(pool.stop({ timeoutMs: 60_000 }), "the pool to stop")).toMatchObject({ terminated: 0 });
});
