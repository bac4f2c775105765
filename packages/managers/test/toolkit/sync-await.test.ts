/** syncAwait() and syncWaitCoroutine(): asynchronous code, called from a thread that blocks for it. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { syncAwait, syncWaitCoroutine, UnknownAsyncTaskError } from "@duck-ts/managers";
import {
  currentThread,
  DeadlockError,
  NotATaskError,
  TaskCancelledError,
  type ThreadInfo,
  WorkerCrashedError,
} from "@duck-ts/runtime";
import { describe, expect, onTestFinished, test } from "vitest";
import { eventually, failure, newGate, newWords, reached, thrownBy, within } from "../support/gates.ts";
import { startLoop } from "../support/managers.ts";
import * as bodies from "./fixtures/bodies.mjs";
import { leavesNoThread } from "./support/threads.ts";

leavesNoThread();

describe.each(["pooled", "separate"] as const)("in a %s function", (form) => {
  const quiet = { logException: false } as const;

  test("syncAwait gives the value, called with a function and arguments or with a call", async () => {
    expect(await bodies.awaitsOnLoop[form](21)).toBe(42);
    expect(await bodies.awaitsCall[form](4)).toBe(8);
  });

  test("syncAwait runs it on the loop of the thread that submitted the task", async () => {
    expect(await bodies.whoseLoop[form]()).toBe(currentThread().id);
  });

  test("syncAwait serves many threads at one time", async () => {
    expect(await Promise.all(Array.from({ length: 12 }, (_, n) => bodies.awaitsOnLoop[form](n)))).toEqual(
      Array.from({ length: 12 }, (_, n) => n * 2),
    );
  }, 40_000);

  test("syncAwait throws what the function throws, and TaskCancelledError where it was cancelled", async () => {
    const error = (await failure(bodies.awaitsFailure[form].with(quiet)())) as Error;
    expect([error.name, error.message]).toEqual(["RangeError", "on the loop"]);
    expect(await failure(bodies.awaitsCancelled[form].with(quiet)())).toBeInstanceOf(TaskCancelledError);
  });

  test("syncAwait is a DeadlockError if the submitter stands still for that very task", () => {
    const error = thrownBy(() => bodies.awaitsOnLoop[form].with(quiet)(1).result()) as DeadlockError;
    expect(error).toBeInstanceOf(DeadlockError);
    expect(error.message).toMatch(/event loop of thread "main"|event loop of thread/);
  });

  test("syncWaitCoroutine runs on the loop of a thread that is named", async () => {
    expect(await bodies.waitsOn[form](currentThread(), 5)).toBe(10);
    expect(await bodies.waitsOnFunction[form](currentThread(), 5)).toBe(10);
  });

  test("syncWaitCoroutine fails if that thread is no more", async () => {
    const worker = new Worker("require('node:worker_threads').parentPort.once('message', () => {})", { eval: true });
    await once(worker, "online");
    const gone: ThreadInfo = { ...currentThread(), id: worker.threadId };
    await worker.terminate();
    const lost = (await failure(bodies.waitsOn[form].with(quiet)(gone, 5))) as WorkerCrashedError;
    expect(lost).toBeInstanceOf(WorkerCrashedError);
    expect(lost.message, "how it ended is not known any more").toMatch(/" ended before the task was done/);
  });

  test("syncAwait fails and does not hang when the submitter's thread goes away meanwhile", async () => {
    const [begun, said] = [newGate(), newWords(1)];
    const worker = new Worker(new URL("./fixtures/submitter.mjs", import.meta.url), {
      workerData: { form, reached: begun, said },
    });
    onTestFinished(() => void worker.terminate());
    await reached(begun);
    await worker.terminate();
    await eventually(() => Atomics.load(said, 0) !== 0, "the wait to end");
    expect(said[0], "WorkerCrashedError").toBe(1);
  });
});

test("syncAwait on a loop's own thread is a DeadlockError, by syncCall and outside of any task", () => {
  expect(thrownBy(() => bodies.awaitsOnLoop.pooled.syncCall(1))).toBeInstanceOf(DeadlockError);
  expect(thrownBy(() => syncAwait(bodies.doubled, 1))).toBeInstanceOf(DeadlockError);
  expect(thrownBy(() => syncWaitCoroutine(currentThread(), bodies.doubled(1)))).toBeInstanceOf(DeadlockError);
});

test("syncWaitCoroutine takes a LoopManager, guarded or not", () => {
  const loop = startLoop({ taskType: "fetch" });
  expect(syncWaitCoroutine(loop, bodies.doubled(4), { taskType: "fetch" })).toBe(8);
  expect(thrownBy(() => syncWaitCoroutine(loop, bodies.doubled(4)))).toBeInstanceOf(UnknownAsyncTaskError);
  expect(syncWaitCoroutine(startLoop(), bodies.doubled, 4)).toBe(8);
  expect(thrownBy(() => syncWaitCoroutine(5 as never, bodies.doubled(4)))).toBeInstanceOf(TypeError);
});

test("a function that was not declared is refused with advice", () => {
  expect(thrownBy(() => syncAwait((async () => 1) as never))).toBeInstanceOf(NotATaskError);
});

test("many waits for one loop end though it is slow", async () => {
  const all = Array.from({ length: 4 }, (_, n) => bodies.awaitsOnLoop.pooled(n));
  expect(await within(Promise.all(all), "four waits")).toEqual([0, 2, 4, 6]);
});
