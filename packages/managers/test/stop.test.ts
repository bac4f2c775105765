/** stop(): drains, is bounded, reports, and leaves nothing pending, whoever asks. */
import { getOrCreateThreadManager, ManagerNotRunning } from "@duck-ts/managers";
import { describe, expect, test } from "vitest";
import * as tasks from "./fixtures/tasks.mjs";
import { eventually, newGate, newWords, open, outcome, reached, thrownBy, within } from "./support/gates.ts";
import { freshId, kinds, quiet, start, startLoop, startPool } from "./support/managers.ts";

const NOTHING = { completed: 0, cancelled: 0, terminated: 0 };

describe.each(kinds)("stop() of a %s manager", (kind) => {
  test("runs what was submitted before, then ends, and says how many it completed", async () => {
    const manager = start(kind);
    const counter = newWords(1);
    const futures = Array.from({ length: 30 }, () => manager.submitTask(tasks.counts(counter)));
    const report = await within(manager.stop(), "stop()");
    expect(report).toMatchObject({ cancelled: 0, terminated: 0 });
    expect(futures.every(({ done }) => done)).toBe(true);
    expect(counter[0]).toBe(30);
    expect(manager.state).toBe("stopped");
  });

  test("at its time limit ends what still runs, and every future is settled when the report is there", async () => {
    const manager = start(kind);
    const begun = newGate();
    const running = manager.submitTask(tasks.spins(begun), quiet);
    const behind = [1, 2, 3].map((n) => manager.submitTask(tasks.echo(n), quiet));
    await reached(begun);
    const report = await within(manager.stop({ timeoutMs: 50 }), "stop()");
    expect(report.terminated).toBeGreaterThanOrEqual(1);
    expect([running, ...behind].every(({ done }) => done)).toBe(true);
    expect(await outcome(running)).toBe("WorkerCrashedError");
    for (const future of behind) expect(["TaskCancelledError", "WorkerCrashedError"]).toContain(await outcome(future));
  });

  test("by two at once is one stop, and the second may bring its end nearer", async () => {
    const manager = start(kind);
    const begun = newGate();
    const running = manager.submitTask(tasks.spins(begun), quiet);
    await reached(begun);
    const patient = manager.stop({ timeoutMs: 60_000 });
    const hasty = manager.stop({ timeoutMs: 20 });
    const [first, second] = await within(Promise.all([patient, hasty]), "both stops");
    expect(first).toEqual(second);
    expect(await outcome(running)).toBe("WorkerCrashedError");
  });

  test("of what does not run is no error", async () => {
    const manager = start(kind);
    await manager.stop();
    expect(await manager.stop()).toEqual(NOTHING);
  });

  test("while it drains refuses tasks and start(), and then it can be started again, with another task type", async () => {
    const manager = start(kind, { taskType: "a" });
    const [begun, gate] = [newGate(), newGate()];
    const running = manager.submitTask(tasks.holdsTurning(begun, gate, 1), { taskType: "a" });
    await reached(begun);
    const stopping = manager.stop();
    expect(manager.state).toBe("stopping");
    expect(manager.taskType).toBeNull();
    expect(thrownBy(() => manager.submitTask(tasks.nothing, { taskType: "a" }))).toBeInstanceOf(ManagerNotRunning);
    expect(
      thrownBy(() => (manager as { start(options: object): unknown }).start(kind === "loop" ? {} : { maxWorkers: 1 })),
    ).toMatchObject({ code: "DUCK_MANAGER_ALREADY_RUNNING", message: expect.stringContaining("is still stopping") });
    open(gate);
    expect(await running).toBe(1);
    expect(await stopping).toMatchObject({ cancelled: 0, terminated: 0 });
    for (let round = 0; round < 5; round++) {
      const taskType = `round-${round}`;
      (manager as { start(options: object): unknown }).start(
        kind === "loop" ? { taskType } : { maxWorkers: 1, taskType },
      );
      expect(manager.taskType).toBe(taskType);
      expect(await manager.submitTask(tasks.echo(round), { taskType })).toBe(round);
      expect(await manager.stop()).toMatchObject({ cancelled: 0, terminated: 0 });
    }
  });

  test("from a task of its own lets that task end, and then it stops", async () => {
    const manager = start(kind);
    const stopping = manager.submitTask(tasks.stopsItsOwn(kind, manager.id));
    expect(await within(stopping, "the task that stops its own manager")).toEqual(NOTHING);
    await eventually(() => manager.state === "stopped", "it to be stopped");
  });

  test("from an heir stops the owner's manager", async () => {
    const manager = start(kind);
    await manager.submitTask(tasks.nothing);
    const report = await startPool().submitTask(tasks.stopsItsOwn(kind, manager.id));
    expect(report).toEqual(NOTHING);
    expect(manager.state).toBe("stopped");
  });

  test("is what `await using` does at the end of its block", async () => {
    const counter = newWords(1);
    const outer = start(kind);
    {
      await using manager = outer;
      for (let i = 0; i < 5; i++) void manager.submitTask(tasks.counts(counter));
    }
    expect(counter[0]).toBe(5);
    expect(outer.state).toBe("stopped");
  });

  test("at once after start(), before any thread is up, leaves nothing behind", async () => {
    for (let round = 0; round < 5; round++) {
      const manager = start(kind);
      const future = manager.submitTask(tasks.echo(round));
      await within(manager.stop(), "stop()");
      expect(await outcome(future)).toBe("ok");
      const unused = start(kind);
      expect(await within(unused.stop(), "stop() of an unused manager")).toEqual(NOTHING);
    }
  });

  test("in the middle of submissions from other threads settles every future", async () => {
    // Submitters in two threads go on while the manager is stopped under them: each of their futures must come out.
    for (let round = 0; round < 5; round++) {
      const manager = start(kind, kind === "thread" ? { maxWorkers: 2 } : {});
      const submitters = startPool({ maxWorkers: 2 });
      const [begun, unsettled] = [newGate(), newWords(1)];
      const rounds = [1, 2].map(() =>
        submitters.submitTask(tasks.submitsUntilRefused(kind, manager.id, begun, unsettled)),
      );
      await reached(begun, 2);
      await within(manager.stop({ timeoutMs: round % 2 === 0 ? 0 : 10_000, wait: round % 3 !== 0 }), "stop()");
      const told = await within(Promise.all(rounds), "every future of the submitters");
      for (const { submitted, settled } of told) expect(settled).toBe(submitted);
      expect(unsettled[0]).toBe(0);
      await submitters.stop();
    }
  });
});

describe("stop({ wait: false }) of a pool", () => {
  test("cancels the queue, finishes what runs, and counts both", async () => {
    const pool = startPool();
    const [begun, gate, counter] = [newGate(), newGate(), newWords(1)];
    const running = pool.submitTask(tasks.holds(begun, gate, "finished"));
    await reached(begun);
    const queued = Array.from({ length: 10 }, () => pool.submitTask(tasks.counts(counter), quiet));
    const stopping = pool.stop({ wait: false });
    expect(new Set(await Promise.all(queued.map(outcome)))).toEqual(new Set(["TaskCancelledError"]));
    open(gate);
    expect(await running).toBe("finished");
    expect(await stopping).toMatchObject({ cancelled: 10, terminated: 0 });
    expect(counter[0]).toBe(0);
  });

  test("after a stop() that waits still cancels the queue", async () => {
    const pool = startPool();
    const [begun, gate] = [newGate(), newGate()];
    const running = pool.submitTask(tasks.holds(begun, gate, 1));
    await reached(begun);
    const queued = pool.submitTask(tasks.echo(2), quiet);
    const patient = pool.stop();
    void pool.stop({ wait: false });
    expect(await outcome(queued)).toBe("TaskCancelledError");
    open(gate);
    expect(await running).toBe(1);
    expect(await patient).toMatchObject({ cancelled: 1, terminated: 0 });
  });
});

test("stop() of a pool waits for a task that runs beside one that has ended without awaiting it", async () => {
  const pool = startPool();
  const [begun, gate] = [newGate(), newGate()];
  const outer = pool.submitTask(tasks.startsButDoesNotAwait(pool.id, begun, gate));
  await reached(begun);
  expect(await outer).toBe("did not wait");
  const stopping = pool.stop();
  open(gate);
  expect(await stopping).toMatchObject({ cancelled: 0, terminated: 0 });
  expect(await pool.stats()).toMatchObject({ completed: 2, active: 0, queued: 0 });
});

test("stop({ wait: false }) of a loop ends it at once, whatever runs there", async () => {
  const loop = startLoop();
  const begun = newGate();
  const running = loop.submitTask(tasks.ignoresItsSignal(begun, newGate()), quiet);
  await reached(begun);
  const report = await within(loop.stop({ wait: false }), "stop()");
  expect(report).toEqual({ completed: 0, cancelled: 0, terminated: 1 });
  expect(running.done).toBe(true);
  expect(await outcome(running)).toBe("WorkerCrashedError");
});

test("a thread that owned managers leaves nothing running: they are stopped when it ends, however it ends", async () => {
  const id = freshId();
  const seat = startPool();
  const owner = await seat.submitTask(tasks.creates("thread", id, { maxWorkers: 1 }));
  expect(owner).toBeTypeOf("number");
  await seat.stop();
  expect(getOrCreateThreadManager(id).state).toBe("idle"); // a new one, not the dead thread's
});
