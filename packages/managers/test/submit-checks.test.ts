/** What submitTask() and start() refuse, in which order, and that refusing changes nothing. */
import {
  getOrCreateLoopManager,
  getOrCreateThreadManager,
  LoopManager,
  ManagerAlreadyRunning,
  ManagerNotRunning,
  QueueFullError,
  ThreadPoolManager,
  UnknownAsyncTaskError,
  UnknownTaskError,
} from "@duck-ts/managers";
import { NotATaskError } from "@duck-ts/runtime";
import { describe, expect, test, vi } from "vitest";
import * as tasks from "./fixtures/tasks.mjs";
import { newGate, open, reached, thrownBy } from "./support/gates.ts";
import { freshId, kinds, quiet, start, startLoop, startPool } from "./support/managers.ts";

function moved(): ArrayBuffer {
  const buffer = new ArrayBuffer(8);
  structuredClone(buffer, { transfer: [buffer] });
  return buffer;
}

test.each([
  ["LoopManager", LoopManager, "getOrCreateLoopManager"],
  ["ThreadPoolManager", ThreadPoolManager, "getOrCreateThreadManager"],
])("a %s is not made with new, whatever it is given", (_name, Manager, instead) => {
  const construct = Manager as unknown as new (...args: unknown[]) => unknown;
  for (const args of [[], ["mine"], [{ id: "mine" }]]) {
    expect(thrownBy(() => new construct(...args))).toMatchObject({
      message: expect.stringContaining(`${instead}(id) finds`),
    });
  }
});

describe("the order of the checks in submitTask", () => {
  test.each(kinds)(
    "of a %s: options that make no sense come first, then that it does not run, then the type, then what is no task",
    (kind) => {
      const idle = kind === "loop" ? getOrCreateLoopManager(freshId()) : getOrCreateThreadManager(freshId());
      expect(thrownBy(() => idle.submitTask({} as never, { timeoutMs: -1 }))).toBeInstanceOf(RangeError);
      expect(thrownBy(() => idle.submitTask((() => 1) as never))).toBeInstanceOf(ManagerNotRunning);
      expect(thrownBy(() => idle.submitTask(tasks.echo(1), { taskType: "wrong" }))).toBeInstanceOf(ManagerNotRunning);
      const guarded = start(kind, { taskType: "a" });
      expect(thrownBy(() => guarded.submitTask((() => 1) as never))).toBeInstanceOf(
        kind === "loop" ? UnknownAsyncTaskError : UnknownTaskError,
      );
      expect(thrownBy(() => guarded.submitTask((() => 1) as never, { taskType: "a" }))).toBeInstanceOf(NotATaskError);
    },
  );

  test("a pool that does not run says so, whatever the type; then the type, then the full queue", async () => {
    const pool = startPool({ maxWorkers: 1, maxQueue: 0, taskType: "a" });
    const begun = newGate();
    const gate = newGate();
    const running = pool.submitTask(tasks.holds(begun, gate, 1), { taskType: "a" });
    await reached(begun);
    expect(thrownBy(() => pool.submitTask(tasks.echo(1), { taskType: "b" }))).toBeInstanceOf(UnknownTaskError);
    expect(thrownBy(() => pool.submitTask(tasks.echo(1)))).toBeInstanceOf(UnknownTaskError);
    expect(thrownBy(() => pool.submitTask(tasks.echo(1), { taskType: "a" }))).toBeInstanceOf(QueueFullError);
    open(gate);
    expect(await running).toBe(1);
    await pool.stop();
    expect(thrownBy(() => pool.submitTask(tasks.echo(1), { taskType: "b" }))).toBeInstanceOf(ManagerNotRunning);
  });

  test("a loop that does not run says so, whatever the type; then the type", async () => {
    const loop = startLoop({ taskType: "a" });
    expect(thrownBy(() => loop.submitTask(tasks.echo(1), { taskType: "b" }))).toBeInstanceOf(UnknownAsyncTaskError);
    await loop.stop();
    expect(thrownBy(() => loop.submitTask(tasks.echo(1), { taskType: "b" }))).toBeInstanceOf(ManagerNotRunning);
  });

  test('"" is a task type like any other, and one that was not asked for is let through', async () => {
    const loop = startLoop({ taskType: "" });
    expect(thrownBy(() => loop.submitTask(tasks.echo(1)))).toMatchObject({ expectedType: "", givenType: undefined });
    expect(await loop.submitTask(tasks.echo(1), { taskType: "" })).toBe(1);
    expect(await startPool().submitTask(tasks.echo(1), { taskType: "anything" })).toBe(1);
  });

  test("a refused task leaves no trace in the counts", async () => {
    const pool = startPool({ maxWorkers: 1, maxQueue: 0, taskType: "a" });
    for (let i = 0; i < 50; i++)
      expect(() => pool.submitTask(tasks.echo(1), { taskType: "b" })).toThrow(UnknownTaskError);
    expect(
      await pool.submitTask(tasks.echo({ uncloneable: () => 1 }), { taskType: "a", ...quiet }).exception(),
    ).toMatchObject({
      code: "DUCK_DATA_NOT_CLONEABLE",
    });
    expect(await pool.submitTask(tasks.echo(1), { taskType: "a" })).toBe(1);
    expect(await pool.stats()).toMatchObject({ queued: 0, active: 0, rejected: 0 });
  });
});

describe("options that make no sense are refused before anything changes", () => {
  const pools: readonly (readonly [string, object, typeof TypeError | typeof RangeError])[] = [
    ["without maxWorkers", {}, TypeError],
    ["with no worker", { maxWorkers: 0 }, RangeError],
    ["with half a worker", { maxWorkers: 1.5 }, RangeError],
    ["with more than 1024 workers", { maxWorkers: 1025 }, RangeError],
    ["with a text for a number", { maxWorkers: "2" }, TypeError],
    ["with NaN workers", { maxWorkers: Number.NaN }, RangeError],
    ["with more threads kept ready than there may be", { maxWorkers: 2, minWorkers: 3 }, RangeError],
    ["with a negative queue", { maxWorkers: 1, maxQueue: -1 }, RangeError],
    ["with a negative idle time", { maxWorkers: 1, idleTimeoutMs: -1 }, RangeError],
    ["with a memory limit of 0", { maxWorkers: 1, memoryLimitMb: 0 }, RangeError],
    ["with a memory limit in words", { maxWorkers: 1, memoryLimitMb: "1 GB" }, TypeError],
    ["with a plain function as workerInit", { maxWorkers: 1, workerInit: () => undefined }, TypeError],
    ["with a number as task type", { maxWorkers: 1, taskType: 1 }, TypeError],
    ["with daemon: 'yes'", { maxWorkers: 1, daemon: "yes" }, TypeError],
    ["with an option that does not exist", { maxWorkers: 1, maxThreads: 2 }, TypeError],
    ["with resourceLimits that are a number", { maxWorkers: 1, resourceLimits: 5 }, TypeError],
    ["with a resource limit that does not exist", { maxWorkers: 1, resourceLimits: { heapMb: 64 } }, TypeError],
    ["with a negative resource limit", { maxWorkers: 1, resourceLimits: { maxOldGenerationSizeMb: -64 } }, RangeError],
    ["with a resource limit in words", { maxWorkers: 1, resourceLimits: { stackSizeMb: "4" } }, TypeError],
  ];
  test.each(pools)("a pool %s", async (_, options, kind) => {
    const pool = getOrCreateThreadManager(freshId());
    expect(thrownBy(() => pool.start(options as never))).toBeInstanceOf(kind);
    expect(pool.state).toBe("idle");
    await using started = pool.start({ maxWorkers: 1 });
    expect(started.state).toBe("running");
  });

  const loops: readonly (readonly [string, unknown, typeof TypeError | typeof RangeError])[] = [
    ["with a number as task type", { taskType: 1 }, TypeError],
    ["with a pool's option", { maxWorkers: 1 }, TypeError],
    ["with a negative grace", { abortGraceMs: -1 }, RangeError],
    ["with a resource limit of nothing", { resourceLimits: { maxOldGenerationSizeMb: 0 } }, RangeError],
    ["with a text instead of options", "render", TypeError],
    ["with null", null, TypeError],
  ];
  test.each(loops)("a loop %s", (_, options, kind) => {
    const loop = getOrCreateLoopManager(freshId());
    expect(thrownBy(() => loop.start(options as never))).toBeInstanceOf(kind);
    expect(loop.state).toBe("idle");
  });

  const submits: readonly (readonly [string, object, typeof TypeError | typeof RangeError])[] = [
    ["a negative deadline", { timeoutMs: -1 }, RangeError],
    ["a deadline of NaN", { timeoutMs: Number.NaN }, RangeError],
    ["a deadline in words", { timeoutMs: "1s" }, TypeError],
    ["a signal that is none", { signal: {} }, TypeError],
    ["a transfer list that is none", { transfer: new ArrayBuffer(1) }, TypeError],
    ["something ordinary to be moved", { transfer: [{}] }, TypeError],
    ["a view to be moved, in place of its buffer", { transfer: [new Uint8Array(1)] }, TypeError],
    ["shared memory to be moved", { transfer: [new SharedArrayBuffer(1)] }, TypeError],
    ["the same to be moved twice", { transfer: new Array(2).fill(new ArrayBuffer(1)) }, TypeError],
    ["what was moved already, to be moved", { transfer: [moved()] }, TypeError],
    ["an option that does not exist", { timeout: 5 }, TypeError],
    ["returnSyncFuture: 'yes'", { returnSyncFuture: "yes" }, TypeError],
  ];
  test.each(submits)("a task with %s", (_, options, kind) => {
    for (const manager of [startPool(), startLoop()] as (LoopManager | ThreadPoolManager)[]) {
      expect(thrownBy(() => manager.submitTask(tasks.echo(1), options as never))).toBeInstanceOf(kind);
    }
  });

  test("stop() with a negative time, as a rejection, and the manager runs on", async () => {
    const pool = startPool();
    await expect(pool.stop({ timeoutMs: -1 })).rejects.toBeInstanceOf(RangeError);
    expect(pool.state).toBe("running");
  });
});

test("start() on a running manager throws and changes nothing, not even the task type", () => {
  const loop = startLoop({ taskType: "render" });
  expect(thrownBy(() => loop.start({ taskType: "other" }))).toBeInstanceOf(ManagerAlreadyRunning);
  expect(loop.taskType).toBe("render");
  const pool = startPool({ taskType: "render" });
  expect(thrownBy(() => pool.start({ maxWorkers: 9, taskType: "other" }))).toBeInstanceOf(ManagerAlreadyRunning);
  expect(pool.taskType).toBe("render");
});

test("handles show what goes on and nothing that leads round the guard, and refuse on what does not run", async () => {
  const pool = startPool({ maxWorkers: 1, taskType: "guarded" });
  const handle = pool.getPool();
  const begun = newGate();
  const gate = newGate();
  const running = pool.submitTask(tasks.holds(begun, gate, 1), { taskType: "guarded" });
  const queued = pool.submitTask(tasks.echo(2), { taskType: "guarded" });
  await reached(begun);
  expect({ workers: handle.workers, queued: handle.queued, active: handle.active }).toEqual({
    workers: 1,
    queued: 1,
    active: 1,
  });
  expect(Object.keys(handle).sort()).toEqual(["active", "queued", "workers"]);
  open(gate);
  await Promise.all([running, queued]);
  const loop = startLoop({ taskType: "guarded" });
  const loopHandle = loop.getEventLoop();
  expect(Object.keys(loopHandle).sort()).toEqual(["lagMs", "pending", "thread", "utilization"]);
  expect(loopHandle.pending).toBe(0);
  expect(loopHandle.utilization()).toBeTypeOf("number");
  await Promise.all([pool.stop(), loop.stop()]);
  expect(thrownBy(() => pool.getPool())).toBeInstanceOf(ManagerNotRunning);
  expect(thrownBy(() => loop.getEventLoop())).toBeInstanceOf(ManagerNotRunning);
});

test("a submission and a failure that nobody looks at work where a test has put a clock of its own in the timers' place", async () => {
  vi.useFakeTimers();
  try {
    const pool = startPool();
    expect(await pool.submitTask(tasks.echo(1))).toBe(1);
    pool.submitTask(tasks.fails("nobody looks"), quiet);
    expect(await pool.submitTask(tasks.echo(2))).toBe(2);
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

test("a blocking call goes by the real clock where a test has put one of its own in its place", () => {
  const now = (): number => {
    throw new Error("the clock of a test was asked");
  };
  vi.stubGlobal("performance", { now });
  try {
    const loop = startLoop();
    const never = loop.submitTask(tasks.never());
    expect(thrownBy(() => never.result(20))).toMatchObject({ name: "FutureTimeoutError" });
    for (let call = 0; call < 100; call++) expect(loop.submitTask(tasks.echo(call)).result()).toBe(call);
    expect(loop.getEventLoop().utilization()).toBeTypeOf("number"); // asks the supervisor
    never.cancel();
  } finally {
    vi.unstubAllGlobals();
  }
});
