/** threadedSeparate(): a thread of its own for each call. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { formatManagerTree, managerTree } from "@duck-ts/managers";
import { currentThread } from "@duck-ts/runtime";
import { expect, onTestFinished, test } from "vitest";
import { blockUntilReached, eventually, newGate, newWords, open, reached, within } from "../support/gates.ts";
import * as bodies from "./fixtures/bodies.mjs";
import { leavesNoThread, threadsOf } from "./support/threads.ts";

leavesNoThread();

test("each call has a new thread, a child of the caller, which is in the tree while it runs and gone after", async () => {
  const [begun, gate] = [newGate(), newGate()];
  const held = bodies.holds.separate(begun, gate);
  await reached(begun);
  const [thread] = await threadsOf("separate");
  expect(thread?.name).toMatch(/^duck:separate-/);
  expect(formatManagerTree(await managerTree())).toContain("[separate ");
  open(gate);
  expect(await held).toBe("held");
  await eventually(async () => (await threadsOf("separate")).length === 0, "the thread to end");
  const [a, b] = [await bodies.where.separate(), await bodies.where.separate()];
  expect(a.id).not.toBe(b.id);
  expect([a.parent, b.parent]).toEqual([currentThread().id, currentThread().id]);
});

test("it starts without a turn of the caller's event loop", () => {
  const begun = newGate();
  const gate = newGate();
  const held = bodies.holds.separate(begun, gate);
  blockUntilReached(begun); // this thread stands still from the call on
  open(gate);
  expect(held.result()).toBe("held");
});

test("it ends when the thread that asked for it ends", async () => {
  const begun = newGate();
  const worker = new Worker(new URL("./fixtures/owner-of-separate.mjs", import.meta.url), { workerData: { begun } });
  onTestFinished(() => void worker.terminate());
  await reached(begun);
  expect((await threadsOf("separate")).length).toBe(1);
  await worker.terminate();
  await eventually(async () => (await threadsOf("separate")).length === 0, "the thread of a dead owner to end");
});

test("what it leaves open does not keep its thread", async () => {
  const worker = new Worker(new URL("./fixtures/leaves-timer.mjs", import.meta.url));
  onTestFinished(() => void worker.terminate());
  const [said] = await within(once(worker, "message"), "the result");
  expect(said).toBe("done");
  await eventually(async () => (await threadsOf("separate")).length === 0, "the thread with a timer to end");
});

test("30 threads at one time all end", async () => {
  const arrived = newWords(1);
  const calls = Array.from({ length: 30 }, () => bodies.meets.separate(arrived, 30));
  expect((await within(Promise.all(calls), "30 threads", 30_000)).length).toBe(30);
}, 40_000);
