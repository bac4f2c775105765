/** threaded() and threadedSeparate(): a blocking function, awaited. */
import { getEventListeners } from "node:events";
import {
  FromThreadChannel,
  getOrCreateThreadManager,
  ThreadPoolExecutor,
  threaded,
  threadedIterable,
  threadedSeparate,
} from "@duck-ts/managers";
import { currentThread, TaskCancelledError, TaskTimeoutError, WorkerCrashedError } from "@duck-ts/runtime";
import { describe, expect, onTestFinished, test } from "vitest";
import { failure, newGate, newWords, open, reached, within } from "../support/gates.ts";
import { startPool } from "../support/managers.ts";
import * as bodies from "./fixtures/bodies.mjs";
import { leavesNoThread } from "./support/threads.ts";

leavesNoThread();

describe.each(["pooled", "separate"] as const)("a %s function", (form) => {
  const quiet = { logException: false } as const;

  test("runs beside its other calls: four that wait for each other all end", async () => {
    const arrived = newWords(1);
    const calls = Array.from({ length: 4 }, () => bodies.meets[form](arrived, 4));
    expect(await within(Promise.all(calls), "four calls to meet")).toEqual([true, true, true, true]);
  });

  test("rejects each of 90 failing calls with its own error", async () => {
    const calls = Array.from({ length: 90 }, (_, n) => bodies.fails[form].with(quiet)(n));
    const settled = await within(Promise.allSettled(calls), "90 failures", 55_000);
    const errors = settled.map((one) => (one.status === "rejected" ? one.reason : one));
    expect(errors.map((error) => (error as Error).message)).toEqual(
      Array.from({ length: 90 }, (_, n) => `failure ${n}`),
    );
    expect(errors.every((error) => error instanceof RangeError)).toBe(true);
  }, 60_000);

  test("gives the same by call, asyncCall, syncCall and call().run(), and can be blocked on", async () => {
    const add = bodies.add[form];
    expect(await add(1, 2)).toBe(3);
    expect(await add.asyncCall(1, 2)).toBe(3);
    expect(add.syncCall(1, 2)).toBe(3);
    expect(await add.call(1, 2).run()).toBe(3);
    expect(add(1, 2).result()).toBe(3);
  });

  test("runs in another thread, and by syncCall in this one", async () => {
    const there = await bodies.where[form]();
    expect(there.id).not.toBe(currentThread().id);
    expect(there.kind).toBe(form === "pooled" ? "pool" : "separate");
    expect(bodies.echo[form].syncCall(currentThread())).toBe(currentThread());
  });

  test("sees context variables as they were at the call", async () => {
    const calls = ["a", "b", "c"].map((id) => bodies.requestId.run(id, () => bodies.readsContext[form]()));
    expect(await Promise.all(calls)).toEqual(["a", "b", "c"]);
    expect(await bodies.readsContext[form]()).toBe("none");
  });

  test("passes on any thrown value", async () => {
    for (const value of [undefined, null, 0, "text", { code: 1 }, [1, 2]]) {
      expect(await failure(bodies.throwsValue[form].with(quiet)(value))).toEqual(value);
    }
    expect(await failure(bodies.throwsFunction[form].with(quiet)())).toBeInstanceOf(Error);
  });

  test("that gives something with a then() is awaited, inside its task, whatever the then() does", async () => {
    const call = bodies.thenables[form].with(quiet);
    expect(await bodies.requestId.run("ours", () => call("gives"))).toBe("ours");
    expect(await bodies.requestId.run("ours", () => call("is lazy"))).toBe("ours");
    expect(await failure(call("is none"))).toBeInstanceOf(TypeError);
    expect(await call("nests")).toBe("inner");
    expect(await call("tells twice")).toBe("first");
    const error = (await failure(call("throws"))) as Error;
    expect([error.name, error.message]).toEqual(["RangeError", "then"]);
  });

  test("whose thread ends before it does fails with WorkerCrashedError", async () => {
    const error = (await failure(bodies.exits[form].with(quiet)(3))) as WorkerCrashedError;
    expect(error).toBeInstanceOf(WorkerCrashedError);
    expect([error.reason, error.exitCode]).toEqual(["exit", 3]);
  });

  test("is cancelled by its signal, and terminated if it does not listen", async () => {
    const begun = newGate();
    const abort = new AbortController();
    const call = bodies.spins[form].with({ signal: abort.signal, ...quiet })(begun);
    await reached(begun);
    abort.abort("enough");
    const error = (await failure(call)) as TaskCancelledError;
    expect(error).toBeInstanceOf(TaskCancelledError);
    expect(error.reason).toBe("enough");
  });

  test("may share its signal with many others: one listener for all, and none when they are done", async () => {
    const { signal } = new AbortController();
    const channel = new FromThreadChannel<number>();
    const calls = Array.from({ length: 12 }, (_, n) => bodies.echo[form].with({ signal })(n));
    const gets = [0, 1].map(() => channel.get({ signal }));
    const items = bodies.counts[form].with({ signal })(newWords(2), 0);
    expect(getEventListeners(signal, "abort").length).toBe(1);
    channel.put(1);
    channel.put(2);
    expect(await Promise.all([...calls, ...gets])).toEqual([...calls.keys(), 1, 2]);
    await items.close();
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  test("is ended by its timeoutMs", async () => {
    expect(await failure(bodies.spins[form].with({ timeoutMs: 200, ...quiet })(newGate()))).toBeInstanceOf(
      TaskTimeoutError,
    );
  });

  test("refuses options that there are not", () => {
    expect(() => bodies.add[form].with({ timeout: 5 } as never)).toThrow(/no option "timeout"/);
  });
});

describe("declaring", () => {
  test.each([
    ["threaded", threaded],
    ["threadedSeparate", threadedSeparate],
  ] as const)("an async function to %s is a TypeError", (name, declare) => {
    const untyped = declare as unknown as (fn: unknown) => unknown;
    expect(() => untyped(async () => 1)).toThrow(TypeError);
    expect(() => untyped(async () => 1)).toThrow(`${name}() was given an async function. It needs no thread`);
    expect(() => untyped(async function* () {})).toThrow(/async generator/);
    expect(() => untyped(5)).toThrow(/expected a function, got number/);
  });

  test.each([
    ["threaded", threaded, /no option "maxSize". Known: url, name\./],
    ["threadedSeparate", threadedSeparate, /no option "maxSize". Known: url, name, detach\./],
  ] as const)("a plain function to %s with the options of an iterable is a TypeError", (_name, declare, message) => {
    expect(() => declare(() => 1, { maxSize: 2 } as never)).toThrow(message);
  });

  test("an iterable with an option that there is not is a TypeError that names those there are", () => {
    const known = /no option "maxsize". Known:( url, name,)? maxSize, closeTimeoutMs/;
    expect(() => threadedIterable(function* () {}, { maxsize: 2 } as never)).toThrow(known);
    expect(() => bodies.counts.pooled.with({ maxsize: 2 } as never)).toThrow(known);
  });

  test("inside a function is an error that names the function called", () => {
    expect(() => threaded(() => 1)).toThrow(/threaded\(.*was called inside/);
  });

  test("a generator function makes an iterable", async () => {
    const items: number[] = [];
    for await (const item of bodies.isGenerator(3)) items.push(item);
    expect(items).toEqual([0, 1, 2]);
  });
});

describe("nested calls", () => {
  test.each([1, 2])("never deadlock on a pool of %i, however deep and however many", async (size) => {
    const executor = new ThreadPoolExecutor(size);
    onTestFinished(async () => void (await executor.shutdown()));
    // The inner calls go to the current pool; the outer ones to this executor.
    expect(await within(bodies.descends.with({ executor })(20), "a chain of 20")).toBe(20);
    expect(await within(bodies.fib.with({ executor })(9), "fib(9)")).toBe(34);
    expect(await bodies.callsSeparate.with({ executor })(1, 2)).toBe(3);
  });

  test.each([1, 2])(
    "never deadlock on a pool of %i either where a body hands the inner call's future on, as its result",
    async (size) => {
      const pool = startPool({ maxWorkers: size });
      const id = pool.id as string;
      expect(await within(pool.submitTask(bodies.givesInner(id, 5)), "a chain of 5")).toBe("end");
      expect(await within(pool.submitTask(bodies.blocksForInner(id, 5)), "a blocked chain of 5")).toBe("end");
    },
  );

  test("find the executor's pool only if they are told; the default one is the root's, whoever needs it first", async () => {
    const executor = new ThreadPoolExecutor(1);
    onTestFinished(async () => void (await executor.shutdown()));
    const there = await bodies.where.pooled.with({ executor })();
    expect(there.name).toMatch(/^duck:executor-/);
    expect(there.parent).toBe(currentThread().id);
    expect((await bodies.where.pooled()).parent).toBe(currentThread().id);
  });
});

test("a call can be submitted to a guarded pool with its task type", async () => {
  const pool = startPool({ taskType: "crypto", maxWorkers: 1 });
  expect(await pool.submitTask(bodies.add.pooled.call(1, 2), { taskType: "crypto" })).toBe(3);
  expect(await bodies.add.pooled.with({ executor: pool, taskType: "crypto" })(1, 2)).toBe(3);
  expect(() => bodies.add.pooled.with({ executor: pool })(1, 2)).toThrow(/not permitted/);
});

test("the default pool is found by its id, is shown, and is started again after somebody stopped it", async () => {
  await bodies.add.pooled(1, 2);
  const pool = getOrCreateThreadManager({ id: "duck:threaded", strictlyGet: true });
  expect(pool.state).toBe("running");
  await pool.stop();
  expect(await bodies.add.pooled(1, 2)).toBe(3);
});

test("a held call in a full executor keeps later ones queued, in order", async () => {
  const executor = new ThreadPoolExecutor(1);
  onTestFinished(async () => void (await executor.shutdown()));
  const [begun, gate] = [newGate(), newGate()];
  const first = bodies.holds.pooled.with({ executor })(begun, gate);
  const second = bodies.echo.pooled.with({ executor })(2);
  await reached(begun);
  expect(second.done).toBe(false);
  open(gate);
  expect(await Promise.all([first, second])).toEqual(["held", 2]);
});
