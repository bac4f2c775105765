/** Behaviours of the peers' own suites that hold here too; each test names where it comes from. */
import { getOrCreateThreadManager, QueueFullError } from "@duck-ts/managers";
import { FutureTimeoutError } from "@duck-ts/runtime";
import { describe, expect, test } from "vitest";
import * as tasks from "./fixtures/tasks.mjs";
import { eventually, newGate, newWords, open, outcome, reached, thrownBy, within } from "./support/gates.ts";
import { freshId, quiet, startLoop, startPool } from "./support/managers.ts";

describe("tinypool", () => {
  test("task-queue: maxQueue 0 takes what can run at once and refuses the rest; each refusal is counted", async () => {
    const pool = startPool({ maxWorkers: 2, maxQueue: 0 });
    const [begun, gate] = [newGate(), newGate()];
    const running = [1, 2].map((n) => pool.submitTask(tasks.holds(begun, gate, n)));
    for (let i = 0; i < 3; i++) expect(thrownBy(() => pool.submitTask(tasks.nothing))).toBeInstanceOf(QueueFullError);
    expect((await pool.stats()).rejected).toBe(3);
    open(gate);
    expect(await Promise.all(running)).toEqual([1, 2]);
    expect(await pool.submitTask(tasks.echo("room again"))).toBe("room again");
  });

  test("task-queue: a queue is emptied in the order in which it was filled, also by several submitters", async () => {
    const pool = startPool();
    const order = newWords(200);
    const [begun, gate] = [newGate(), newGate()];
    const first = pool.submitTask(tasks.holds(begun, gate, 0));
    await reached(begun);
    const submitters = startPool({ maxWorkers: 2 });
    await Promise.all(
      [0, 1000].map((base) => submitters.submitTask(tasks.submitsMany("thread", pool.id, 50, order, base))),
    );
    await eventually(() => pool.getPool().queued === 100, "a hundred queued tasks");
    open(gate);
    await first;
    await eventually(() => order[0] === 100, "all to have run");
    const ran = [...order.subarray(1, 101)];
    for (const base of [0, 1000])
      expect(ran.filter((n) => n >= base && n < base + 1000)).toEqual(Array.from({ length: 50 }, (_, i) => base + i));
  });

  test("termination: stop() settles what runs and what waits", async () => {
    const pool = startPool();
    const begun = newGate();
    const futures = [pool.submitTask(tasks.spins(begun), quiet), pool.submitTask(tasks.echo(1), quiet)];
    await reached(begun);
    await within(pool.stop({ wait: false, timeoutMs: 0 }), "stop()");
    expect(await Promise.all(futures.map(outcome))).toEqual(["WorkerCrashedError", "TaskCancelledError"]);
  });

  test("move: a transferred buffer leaves this thread, and what the task transfers back was not copied", async () => {
    for (const manager of [startPool(), startLoop()]) {
      const bytes = new Uint8Array([1, 2, 3]);
      const doubled = await manager.submitTask(tasks.doublesBytes(bytes), { transfer: [bytes.buffer] });
      expect(bytes.byteLength).toBe(0);
      expect([...doubled]).toEqual([2, 4, 6]);
    }
  });

  test("idle-timeout: a thread above minWorkers that has had nothing to do ends, and the next task finds another", async () => {
    const pool = startPool({ maxWorkers: 3, minWorkers: 1, idleTimeoutMs: 20 });
    const [begun, gate] = [newGate(), newGate()];
    const held = [1, 2, 3].map((n) => pool.submitTask(tasks.holds(begun, gate, n)));
    await reached(begun, 3);
    expect(pool.getPool().workers).toBe(3);
    open(gate);
    await Promise.all(held);
    await eventually(() => pool.getPool().workers === 1, "the idle threads to end");
    expect(await pool.submitTask(tasks.echo("again"))).toBe("again");
    expect(await pool.stats()).toMatchObject({ crashes: 0, replacements: 0 });
  });

  test("idle-timeout: a thread that was woken for one more task by way of the queue ends when it is idle again", async () => {
    const pool = startPool({ maxWorkers: 1, idleTimeoutMs: 200 });
    await pool.submitTask(tasks.nothing);
    await eventually(async () => (await pool.stats()).utilization === 0, "the thread to be free");
    await pool.submitTask(tasks.nothing, { timeoutMs: 60_000 }); // a deadline is kept by the supervisor
    await eventually(() => pool.getPool().workers === 0, "the idle thread to end");
  });

  test("async-context: a done callback and an await run in the submitter's context", async () => {
    const pool = startPool();
    const seen = await tasks.user.run("ada", async () => {
      await pool.submitTask(tasks.nothing);
      return tasks.user.get();
    });
    expect(seen).toBe("ada");
  });

  test("uncaught exception in a handler: only its own task fails", async () => {
    const pool = startPool({ maxWorkers: 2 });
    const [begun, gate] = [newGate(), newGate()];
    const neighbour = pool.submitTask(tasks.holds(begun, gate, "unharmed"));
    await reached(begun);
    expect(await outcome(pool.submitTask(tasks.throwsLater("x"), quiet))).toBe("WorkerCrashedError");
    open(gate);
    expect(await neighbour).toBe("unharmed");
  });
});

describe("piscina", () => {
  test("a cold burst on minWorkers 0 uses all the threads there may be", async () => {
    const pool = startPool({ maxWorkers: 3 });
    const [begun, gate] = [newGate(), newGate()];
    const burst = Array.from({ length: 6 }, (_, n) => pool.submitTask(tasks.holds(begun, gate, n)));
    await reached(begun, 3);
    expect(pool.getPool()).toMatchObject({ workers: 3, active: 3, queued: 3 });
    open(gate);
    expect(await Promise.all(burst)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test("strict FIFO: on one thread tasks run in the order of their submission, short and long mixed", async () => {
    const pool = startPool();
    const order = newWords(101);
    const futures = Array.from({ length: 100 }, (_, n) => pool.submitTask(tasks.notes(order, n)));
    await Promise.all(futures);
    expect([...order.subarray(1)]).toEqual(Array.from({ length: 100 }, (_, n) => n));
  });

  test("close: two closings at once both end", async () => {
    const pool = startPool();
    await pool.submitTask(tasks.nothing);
    await within(Promise.all([pool.stop(), pool.stop()]), "both");
    expect(pool.state).toBe("stopped");
  });

  test("histogram: percentiles are there after the first task, in order, and null before", async () => {
    const pool = startPool();
    expect(await pool.stats()).toMatchObject({ waitMs: { p50: null }, runMs: { p99: null } });
    for (let i = 0; i < 20; i++) await pool.submitTask(tasks.echo(i));
    const { runMs, waitMs } = await pool.stats();
    for (const { p50, p95, p99 } of [runMs, waitMs]) {
      expect(p50).toBeGreaterThan(0);
      expect(p95).toBeGreaterThanOrEqual(p50 as number);
      expect(p99).toBeGreaterThanOrEqual(p95 as number);
    }
  });
});

describe("workerpool", () => {
  test("cancel while queued never starts the task, and spares the worker", async () => {
    const pool = startPool();
    const [begun, gate, counter] = [newGate(), newGate(), newWords(1)];
    const running = pool.submitTask(tasks.holds(begun, gate, await pool.submitTask(tasks.threadIdHere)));
    await reached(begun);
    const queued = pool.submitTask(tasks.counts(counter), quiet);
    expect(queued.cancel()).toBe(true);
    await eventually(() => pool.getPool().queued === 0, "the queue to be empty");
    open(gate);
    expect(await running).toBe(await pool.submitTask(tasks.threadIdHere));
    expect(counter[0]).toBe(0);
  });

  test("an abort handler that cleans up spares the worker", async () => {
    const pool = startPool({ abortGraceMs: 5_000 });
    const [begun, aborted] = [newGate(), newGate()];
    const thread = await pool.submitTask(tasks.threadIdHere);
    const future = pool.submitTask(tasks.tellsWhenAborted(begun, aborted), quiet);
    await reached(begun);
    future.cancel();
    await reached(aborted);
    expect(await pool.submitTask(tasks.threadIdHere)).toBe(thread);
  });
});

describe("synckit", () => {
  test("a call after one that timed out gets its own answer, never the outdated one", () => {
    const loop = startLoop();
    const [begun, gate] = [newGate(), newGate()];
    const slow = loop.submitTask(tasks.holdsTurning(begun, gate, "outdated"));
    expect(thrownBy(() => slow.result(30))).toBeInstanceOf(FutureTimeoutError);
    expect(loop.submitTask(tasks.echo("own")).result(10_000)).toBe("own");
    open(gate);
    expect(slow.result(10_000)).toBe("outdated");
  });

  test("one deadline covers the whole wait, however often the thread is woken meanwhile", () => {
    const [pool, loop] = [startPool(), startLoop()];
    const [begun, gate] = [newGate(), newGate()];
    const held = pool.submitTask(tasks.holds(begun, gate, 1));
    const noise = Array.from({ length: 200 }, (_, n) => loop.submitTask(tasks.echoAsync(n)));
    expect(thrownBy(() => held.result(150))).toBeInstanceOf(FutureTimeoutError);
    open(gate);
    expect(held.result(10_000)).toBe(1);
    expect(noise.map((future) => future.result(10_000))).toHaveLength(200);
  });
});

test("a pool's threads are named after its prefix, and remember between tasks what modules do", async () => {
  const pool = startPool({ threadNamePrefix: "painter" });
  expect((await pool.submitTask(tasks.whereAmI))[0]?.name).toBe("painter-1");
  await pool.submitTask(tasks.remembers(1));
  expect(await pool.submitTask(tasks.remembers(2))).toBe(1);
  expect(getOrCreateThreadManager(freshId()).state).toBe("idle");
});
