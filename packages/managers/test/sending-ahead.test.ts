/**
 * A pool of one thread is sent tasks while it is busy, straight from the thread that has it. What that must not change:
 * the order, what can be cancelled, who is told what when the thread or the submitter ends.
 */
import { managerTree } from "@duck-ts/managers";
import { DeadlockError, SyncFuture, TaskCancelledError } from "@duck-ts/runtime";
import { expect, test } from "vitest";
import * as tasks from "./fixtures/tasks.mjs";
import {
  blockUntilReached,
  eventually,
  failure,
  newGate,
  newWords,
  open,
  outcome,
  reached,
  within,
} from "./support/gates.ts";
import { quiet, startPool } from "./support/managers.ts";

/** An answer leaves before the thread is free: a task submitted in between goes by way of the supervisor. */
async function free(pool: ReturnType<typeof startPool>): Promise<void> {
  await eventually(async () => (await pool.stats()).utilization === 0, "the thread to be free");
}

/** A pool of one thread, which this thread has and which stands at a gate. */
async function heldPool(options: Parameters<typeof startPool>[0] = {}) {
  const pool = startPool({ maxWorkers: 1, ...options });
  await pool.submitTask(tasks.nothing);
  await free(pool); // from here on straight to the worker
  const [begun, gate] = [newGate(), newGate()];
  const held = pool.submitTask(tasks.holds(begun, gate, "held"), quiet);
  await reached(begun);
  return { pool, held, gate };
}

test("tasks sent ahead run in their order, whatever their arguments", async () => {
  const { pool, held, gate } = await heldPool();
  const order = newWords(400);
  const noted = Array.from({ length: 300 }, (_, n) =>
    // A SharedArrayBuffer is no scalar: it travels in a message of its own. Every third has scalars alone.
    n % 3 === 0 ? pool.submitTask(tasks.echo(n)) : pool.submitTask(tasks.notes(order, n)),
  );
  expect(pool.getPool()).toMatchObject({ active: 1, queued: 300 });
  open(gate);
  expect(await held).toBe("held");
  const results = await Promise.all(noted);
  for (let n = 0; n < 300; n += 3) expect(results[n]).toBe(n);
  expect([...order.subarray(1, 201)]).toEqual(Array.from({ length: 300 }, (_, n) => n).filter((n) => n % 3 !== 0));
  expect(pool.getPool()).toMatchObject({ active: 0, queued: 0 });
});

test("a task sent ahead that is cancelled never begins, leaves the queue at once, and its neighbours run", async () => {
  const { pool, held, gate } = await heldPool({ maxQueue: 3 });
  const counter = newWords(1);
  const waiting = Array.from({ length: 3 }, () => pool.submitTask(tasks.counts(counter), quiet));
  expect(() => pool.submitTask(tasks.nothing)).toThrow(/queue/);
  expect(waiting[1]?.cancel("no more")).toBe(true);
  expect(pool.getPool()).toMatchObject({ active: 1, queued: 2 });
  const instead = pool.submitTask(tasks.counts(counter), quiet); // there is room again
  open(gate);
  expect(await Promise.all([held, ...waiting, instead].map((future) => outcome(future)))).toEqual([
    "ok",
    "ok",
    "TaskCancelledError",
    "ok",
    "ok",
  ]);
  expect(counter[0]).toBe(3);
  expect(await pool.stats()).toMatchObject({ cancelled: 1, active: 0, queued: 0 });
});

test("stop({ wait: false }) cancels what was sent ahead and lets the running task end", async () => {
  const { pool, held, gate } = await heldPool();
  const counter = newWords(1);
  const waiting = Array.from({ length: 20 }, () => pool.submitTask(tasks.counts(counter), quiet));
  const stopped = pool.stop({ wait: false, timeoutMs: 10_000 });
  expect(new Set(await Promise.all(waiting.map(outcome)))).toEqual(new Set(["TaskCancelledError"]));
  open(gate);
  expect(await held).toBe("held");
  expect(await within(stopped, "stop()")).toEqual({ completed: 1, cancelled: 20, terminated: 0 });
  expect(counter[0]).toBe(0);
});

test("stop({ wait: false }) cancels what was sent ahead also where the thread dies before it has done so", async () => {
  const pool = startPool({ maxWorkers: 1 });
  await pool.submitTask(tasks.nothing);
  await free(pool);
  const [begun, gate, counter] = [newGate(), newGate(), newWords(1)];
  const dies = pool.submitTask(tasks.holdsThenExits(begun, gate), quiet);
  await reached(begun);
  const waiting = Array.from({ length: 5 }, () => pool.submitTask(tasks.counts(counter), quiet));
  const stopped = pool.stop({ wait: false, timeoutMs: 10_000 });
  await managerTree(); // the supervisor knows of the stop
  open(gate);
  expect(await outcome(dies)).toBe("WorkerCrashedError");
  expect(new Set(await Promise.all(waiting.map(outcome)))).toEqual(new Set(["TaskCancelledError"]));
  expect(await within(stopped, "stop()")).toEqual({ completed: 0, cancelled: 5, terminated: 1 });
  expect(counter[0]).toBe(0);
});

test("stop() runs what was sent ahead", async () => {
  const { pool, held, gate } = await heldPool();
  const waiting = Array.from({ length: 50 }, (_, n) => pool.submitTask(tasks.echo(n)));
  const stopped = pool.stop();
  open(gate);
  expect(await held).toBe("held");
  expect(await Promise.all(waiting)).toEqual(Array.from({ length: 50 }, (_, n) => n));
  expect(await within(stopped, "stop()")).toEqual({ completed: 51, cancelled: 0, terminated: 0 });
});

test("stop() whose time is over settles what was sent ahead, and a later run does not see it", async () => {
  const { pool, held } = await heldPool();
  const counter = newWords(1);
  const waiting = Array.from({ length: 5 }, () => pool.submitTask(tasks.counts(counter), quiet));
  const report = await within(pool.stop({ timeoutMs: 20 }), "stop()");
  expect(report).toEqual({ completed: 0, cancelled: 5, terminated: 1 });
  pool.start({ maxWorkers: 1 });
  expect(await outcome(held)).toBe("WorkerCrashedError");
  expect(new Set(await Promise.all(waiting.map(outcome)))).toEqual(new Set(["TaskCancelledError"]));
  expect(await pool.submitTask(tasks.echo("again"))).toBe("again");
  expect(counter[0]).toBe(0);
});

test("stop() waits for what a dying thread had been sent ahead: the next thread runs it", async () => {
  const { pool, held, gate } = await heldPool();
  const crash = pool.submitTask(tasks.exits(3), quiet);
  const waiting = Array.from({ length: 10 }, (_, n) => pool.submitTask(tasks.echo(n), quiet));
  const stopped = pool.stop();
  open(gate);
  expect(await held).toBe("held");
  expect(await outcome(crash)).toBe("WorkerCrashedError");
  expect(await Promise.all(waiting)).toEqual(Array.from({ length: 10 }, (_, n) => n));
  expect(await within(stopped, "stop()")).toEqual({ completed: 11, cancelled: 0, terminated: 1 });
});

test("what a dying thread had been sent ahead goes before what other threads have queued since", async () => {
  const { pool, held, gate } = await heldPool();
  const order = newWords(40);
  const crash = pool.submitTask(tasks.exits(1), quiet);
  const first = Array.from({ length: 5 }, (_, n) => pool.submitTask(tasks.notes(order, n), quiet));
  const submitter = startPool();
  await submitter.submitTask(tasks.submitsMany("thread", pool.id, 5, order, 1000));
  await eventually(() => pool.getPool().queued === 11, "both threads' tasks to wait");
  open(gate);
  expect(await held).toBe("held");
  expect(await outcome(crash)).toBe("WorkerCrashedError");
  await Promise.all(first);
  await eventually(() => order[0] === 10, "all to have run");
  expect([...order.subarray(1, 11)]).toEqual([0, 1, 2, 3, 4, 1000, 1001, 1002, 1003, 1004]);
});

test("what a dying thread had been sent ahead runs as it was submitted: its context, its arguments", async () => {
  const { pool, held, gate } = await heldPool();
  const crash = pool.submitTask(tasks.exits(1), quiet);
  const list = [1];
  const [who, what] = tasks.user.run("ada", () => [
    pool.submitTask(tasks.whoIsUser),
    pool.submitTask(tasks.echo(list)),
  ]);
  const noUser = pool.submitTask(tasks.whoIsUser);
  list.push(2);
  open(gate);
  // The news comes while this thread blocks, in a context of its own.
  expect(tasks.user.run("eve", () => noUser.result(10_000))).toBe("nobody");
  expect(await outcome(held)).toBe("ok");
  expect(await outcome(crash)).toBe("WorkerCrashedError");
  expect(await who).toBe("ada");
  expect(await what).toEqual([1]);
});

test("a thread that was given up and is not dead yet begins nothing that was sent ahead", async () => {
  // A thread that is no 100 ms old is given up at once and ended later: it comes up to its next tasks meanwhile.
  const pool = startPool({ maxWorkers: 1, abortGraceMs: 1 });
  await pool.submitTask(tasks.nothing);
  await free(pool);
  const [begun, gate, begunNext, gateNext] = [newGate(), newGate(), newGate(), newGate()];
  const first = pool.submitTask(tasks.holds(begun, gate, "first"), quiet);
  const next = pool.submitTask(tasks.holds(begunNext, gateNext, "next"), quiet);
  await Promise.resolve(); // both are sent
  blockUntilReached(begun);
  first.cancel();
  const until = performance.now() + 10_000;
  while (pool.getPool().workers > 0) if (performance.now() > until) throw new Error("the thread was not given up");
  // This thread stands still, and so has not taken the second task back.
  open(gate);
  Atomics.wait(newGate(), 0, 0, 150); // it is dead by then
  open(gateNext);
  expect(await outcome(first)).toBe("TaskCancelledError");
  expect(await next).toBe("next");
  expect(begunNext[0]).toBe(1);
});

test("a thread that is recycled gives back what it was sent ahead", async () => {
  const pool = startPool({ maxWorkers: 1, memoryLimitMb: 200 });
  await pool.submitTask(tasks.nothing);
  const before = await pool.submitTask(tasks.threadIdHere);
  // The memory is looked at after the task that takes it, and these wait behind that one.
  const filled = pool.submitTask(tasks.holdsBytes(300));
  const behind = Array.from({ length: 200 }, () => pool.submitTask(tasks.threadIdHere));
  const ran = await Promise.all([filled, ...behind]);
  expect(ran[0]).toBe(before);
  expect(ran.at(-1)).not.toBe(before);
  expect(new Set(ran).size).toBe(2);
  expect(await pool.stats()).toMatchObject({ failed: 0, crashes: 0, replacements: 1, queued: 0, active: 0 });
});

test("what a thread had submitted and has not begun is not run any more once that thread is dead", async () => {
  const pool = startPool({ maxWorkers: 1 });
  await pool.submitTask(tasks.nothing);
  const submitter = startPool();
  const [begun, gate, counter] = [newGate(), newGate(), newWords(1)];
  const ends = submitter.submitTask(tasks.submitsManyThenExits(pool.id, begun, gate, counter), quiet);
  expect(await failure(ends)).toMatchObject({ reason: "exit" });
  await eventually(() => pool.getPool().queued === 0, "what it had submitted to be forgotten");
  expect(pool.getPool().active).toBe(1);
  open(gate);
  expect(await within(pool.submitTask(tasks.echo("next")), "the next task")).toBe("next");
  await eventually(() => pool.getPool().queued === 0 && pool.getPool().active === 0, "nothing to be left");
  expect(counter[0]).toBe(0);
  expect(await pool.stats()).toMatchObject({ cancelled: 5 });
});

test("a thread that blocks on a task behind its own, which waits for that thread, is told of the deadlock", async () => {
  // main -> the second task -> (behind) the first -> main's future
  const pool = startPool({ maxWorkers: 1 });
  await pool.submitTask(tasks.nothing);
  await free(pool);
  const mine = new SyncFuture<string>();
  const first = pool.submitTask(tasks.waitsForFuture(mine), quiet);
  const second = pool.submitTask(tasks.echo("second"), quiet);
  const told = (() => {
    try {
      return second.result(10_000);
    } catch (error) {
      return error;
    }
  })();
  // Whoever blocked last is told; if that was the first task, it ends, and the second runs.
  if (told === "second") expect(await failure(first)).toBeInstanceOf(DeadlockError);
  else {
    expect(told).toBeInstanceOf(DeadlockError);
    mine.setResult("go on");
    expect(await first).toBe("go on");
  }
});

test("cancelling every other one of a thousand sent ahead loses and repeats none", async () => {
  const { pool, held, gate } = await heldPool();
  const counter = newWords(1);
  const futures = Array.from({ length: 1_500 }, () => pool.submitTask(tasks.counts(counter), quiet));
  futures.forEach((future, n) => {
    if (n % 2 === 1) future.cancel(new TaskCancelledError("odd"));
  });
  open(gate);
  await held;
  const outcomes = await Promise.all(futures.map(outcome));
  expect(outcomes.filter((kind) => kind === "ok")).toHaveLength(750);
  expect(outcomes.filter((kind) => kind === "TaskCancelledError")).toHaveLength(750);
  expect(counter[0]).toBe(750);
  expect(await pool.stats()).toMatchObject({ cancelled: 750, queued: 0, active: 0 });
});

test("threads come and go, and each finds the pool as the first did", async () => {
  const pool = startPool({ maxWorkers: 1 });
  const counter = newWords(1);
  for (let round = 1; round <= 12; round++) {
    const submitter = startPool();
    await submitter.submitTask(tasks.awaitsManyOn("thread", pool.id, 5));
    expect(
      await failure(submitter.submitTask(tasks.submitsThenExits("thread", pool.id, counter), quiet)),
    ).toMatchObject({
      reason: "exit",
    });
    await submitter.stop();
    await eventually(() => pool.getPool().queued + pool.getPool().active === 0, "nothing to be left");
    expect(await pool.submitTask(tasks.echo(round))).toBe(round);
  }
});
