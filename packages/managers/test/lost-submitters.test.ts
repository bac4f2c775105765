/**
 * A thread that is ended in the very turn in which it submits: the task is counted, for all threads to see, but its
 * message was to leave at the end of the turn and never does.
 */
import type { ThreadPoolManager } from "@duck-ts/managers";
import { expect, test } from "vitest";
import { submitsThenSpins } from "./fixtures/last-words.mjs";
import * as tasks from "./fixtures/tasks.mjs";
import { eventually, newGate, newWords, outcome, reached, within } from "./support/gates.ts";
import { quiet, startLoop, startPool } from "./support/managers.ts";

/** Ends one of the threads of `submitters` when it has just submitted three tasks. */
async function endInTheTurnOf(submitters: ThreadPoolManager, kind: "loop" | "thread", id: string): Promise<void> {
  const submitted = newGate();
  const spinning = submitters.submitTask(submitsThenSpins(kind, id, 3, submitted), quiet);
  await reached(submitted);
  spinning.cancel();
  await eventually(() => submitters.getPool().active === 0, "the submitter to be ended");
}

test("a loop whose submitter was ended in the turn of its submission has nothing pending, and stops at once", async () => {
  // The story: the loop's thread waited for a task that had been counted and could not come; stop() waited out its time.
  const [loop, submitters] = [startLoop(), startPool({ abortGraceMs: 20 })];
  await loop.submitTask(tasks.nothing);
  for (let round = 0; round < 2; round++) await endInTheTurnOf(submitters, "loop", loop.id);
  await eventually(() => loop.getEventLoop().pending === 0, "nothing to be pending");
  await eventually(async () => (await loop.stats()).cancelled === 6, "the tasks that never came to be counted");
  expect(await loop.submitTask(tasks.echo("goes on"))).toBe("goes on");
  expect(await within(loop.stop({ timeoutMs: 60_000 }), "stop()")).toMatchObject({ terminated: 0 });
});

test("what a submitter had sent before it was ended still runs", async () => {
  const [loop, submitters] = [startLoop(), startPool({ abortGraceMs: 20 })];
  const [order, begun] = [newWords(6), newGate()];
  const sent = submitters.submitTask(tasks.submitsMany("loop", loop.id, 5, order, 0));
  await sent;
  expect(await outcome(submitters.submitTask(tasks.spins(begun), { timeoutMs: 50, ...quiet }))).toBe(
    "TaskTimeoutError",
  );
  await eventually(() => order[0] === 5 && loop.getEventLoop().pending === 0, "all five to have run");
  expect(await loop.stats()).toMatchObject({ completed: 5, cancelled: 0 });
});

test("a pool whose submitter was ended in the turn of its submission has room again, and nothing active", async () => {
  // The story: each such task took a place of the queue for ever, until the pool refused everybody.
  const [pool, submitters] = [startPool({ maxQueue: 3 }), startPool({ abortGraceMs: 20 })];
  for (let round = 0; round < 3; round++) {
    await endInTheTurnOf(submitters, "thread", pool.id);
    await eventually(() => pool.getPool().active + pool.getPool().queued === 0, "nothing to be left");
  }
  expect(await pool.submitTask(tasks.echo("goes on"))).toBe("goes on");
  expect(await within(pool.stop({ timeoutMs: 60_000 }), "stop()")).toMatchObject({ terminated: 0 });
});
