/** threadedIterable() and its kin: a blocking generator, read with for await. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import {
  IteratorWrapper,
  IteratorWrapperSeparate,
  ManagerNotRunning,
  ThreadedIterator,
  ThreadPoolExecutor,
} from "@duck-ts/managers";
import {
  DataNotCloneableError,
  NotATaskError,
  TaskCancelledError,
  TaskTimeoutError,
  WorkerCrashedError,
} from "@duck-ts/runtime";
import { describe, expect, onTestFinished, test } from "vitest";
import { blockUntilReached, eventually, failure, newGate, newWords, open, reached, within } from "../support/gates.ts";
import * as bodies from "./fixtures/bodies.mjs";
import { runScript } from "./support/scripts.ts";
import { garbageCollector, leavesNoThread } from "./support/threads.ts";

leavesNoThread();

const MADE = 0;
const ENDED = 1;

async function all<T>(iterable: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of iterable) items.push(item);
  return items;
}

/** Until a word has stood at `value` while the producer had every chance to go on. */
async function settlesAt(words: Int32Array, index: number, value: number): Promise<void> {
  await eventually(() => Atomics.load(words, index) >= value, `word ${index} to reach ${value}`);
  // No gate can say that something does not happen; a producer that did not stop would be far ahead by then.
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
  expect(Atomics.load(words, index)).toBe(value);
}

describe.each(["pooled", "separate"] as const)("a %s iterable", (form) => {
  const quiet = { logException: false } as const;

  test("runs nothing before iteration starts", async () => {
    const made = newWords(2);
    const items = bodies.counts[form](made, 3);
    await settlesAt(made, MADE, 0);
    expect(await all(items)).toEqual([1, 2, 3]);
    expect(made[ENDED]).toBe(1);
  });

  test.each([1, 2, 5, 64, 1024])("with maxSize %i is exactly so many items ahead, never more", async (maxSize) => {
    const made = newWords(2);
    const items = bodies.counts[form].with({ maxSize })(made);
    for (let taken = 1; taken <= 4; taken++) {
      expect((await items.next()).value).toBe(taken);
      await settlesAt(made, MADE, taken + maxSize);
    }
    await items.close();
    expect(made[ENDED]).toBe(1);
  });

  test("wakes its producer for a single place also where the bound is large, though a turn later", async () => {
    const made = newWords(2);
    const items = bodies.counts[form].with({ maxSize: 100 })(made);
    await items.next();
    await settlesAt(made, MADE, 101);
    await items.next();
    await settlesAt(made, MADE, 102);
    await items.close();
  });

  test("wakes its producer for a single place of a small bound even if this thread stands still", async () => {
    const made = newWords(2);
    const items = bodies.counts[form].with({ maxSize: 4 })(made);
    await items.next();
    await settlesAt(made, MADE, 5);
    await items.next();
    expect(Atomics.wait(made, MADE, 5, 10_000)).not.toBe("timed-out");
    await items.close();
  });

  test("with maxSize 0 is bounded by nothing", async () => {
    const made = newWords(2);
    const items = bodies.counts[form].with({ maxSize: 0 })(made, 50_000);
    await items.next();
    await eventually(() => Atomics.load(made, MADE) === 50_000, "all items to be made");
    expect((await all(items)).length).toBe(49_999);
  });

  test("gives its items in order, then what the body throws, after all it had yielded, once", async () => {
    const items = bodies.failsAfter[form].with({ ...quiet, maxSize: 0 })(2000);
    const seen: number[] = [];
    const error = await failure(
      (async () => {
        for await (const item of items) seen.push(item);
      })(),
    );
    expect(seen).toEqual(Array.from({ length: 2000 }, (_, i) => i));
    expect(error).toBeInstanceOf(RangeError);
    expect((error as Error).message).toBe("after 2000");
    expect(await items.next()).toEqual({ done: true, value: undefined });
  });

  test("gives an item in the moment it is yielded, whatever the body does next", async () => {
    const gate = newGate();
    const items = bodies.burst[form](gate);
    for (const n of [1, 2, 3])
      expect((await within(items.next(), `item ${n}, while the body stands still`)).value).toBe(n);
    open(gate);
    expect(await all(items)).toEqual([4]);
  });

  test("may be any iterable: a list, a Set, a string", async () => {
    const values = [
      1,
      -0,
      2 ** 40,
      0.5,
      Number.NaN,
      "ascii",
      "ünïcode ☃",
      "\ud800",
      null,
      undefined,
      true,
      10n,
      new Date(0),
      new Map([[1, 2]]),
    ];
    expect(await all(bodies.list[form](values))).toEqual(values);
    expect(await all(bodies.list[form](new Set([1, 2])))).toEqual([1, 2]);
    expect(await all(bodies.list[form]("abc"))).toEqual(["a", "b", "c"]);
    expect(await all(bodies.list[form]([]))).toEqual([]);
  });

  test("carries rows, nested values and bytes as structured clone would", async () => {
    const sparse: unknown[] = [1];
    sparse[2] = 3;
    const values = [
      { a: 1, b: "x" },
      { a: 2, b: "y" },
      { b: 1 },
      { deep: { er: [1, { x: 1 }] } },
      [1, "two", null],
      sparse,
      new Uint8Array([1, 2, 3]),
      new Float64Array([0.5]),
      {},
      { a: undefined },
    ];
    const got = await all(bodies.list[form](values));
    expect(got).toEqual(values.map((value) => structuredClone(value)));
    expect(1 in (got[5] as unknown[])).toBe(false);
    const large = { text: "x".repeat(1_000_000) };
    expect(await all(bodies.list[form]([1, large, 2]))).toEqual([1, large, 2]);
  });

  test("keeps what a nested item refers to twice, or in a circle, and tells the keys of one item from those of the next", async () => {
    const shared = { x: 1 };
    const circle: Record<string, unknown> = { n: 1 };
    circle.self = circle;
    const bytes = new Uint8Array([1, 2, 3]);
    const wide = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`field${n}`, { n, text: `text ${n}` }]));
    const values = [
      { a: shared, b: shared },
      circle,
      { user: { name: "ä", tags: [[1], [2, { y: -0 }]] }, at: { x: 0.5 } },
      { user: { name: "ö", tags: [] }, at: { y: 1 } },
      { user: { nick: "o" }, at: { y: 2, x: 1 } },
      { user: { name: "x" }, at: Object.create(null) },
      { user: { when: new Date(5), big: 10n } },
      { user: { nick: "after one that went another way" }, at: { y: 3, x: 2 } },
      { id: 1, blob: bytes },
      [bytes, bytes.subarray(1)],
      wide,
      JSON.parse('{"a":{"__proto__":{"polluted":true}}}'),
      [{ x: 1 }, { x: 2 }, { y: 3 }],
    ];
    const got = (await all(bodies.list[form](values))) as Record<string, unknown>[];
    expect(got).toEqual(values.map((value) => structuredClone(value)));
    expect(got[0]?.a).toBe(got[0]?.b);
    expect(got[1]?.self).toBe(got[1]);
    const [first, second] = got[9] as unknown as Uint8Array[];
    expect(first?.buffer).toBe(second?.buffer);
    expect(Object.keys(got[4]?.at as object)).toEqual(["y", "x"]);
  });

  test("fails at an item whose getter throws, and ends the body", async () => {
    const ended = newWords(1);
    const items = bodies.yieldsThrowingGetter[form].with(quiet)(ended);
    expect((await items.next()).value).toEqual({ row: { n: 1 } });
    expect(await failure(items.next())).toBeInstanceOf(DataNotCloneableError);
    expect(ended[0]).toBe(1);
  });

  test("copies each item when it is yielded", async () => {
    const rows = await all(bodies.reuses[form]());
    expect(rows.map((row) => [row.n, row.nested.n])).toEqual([0, 1, 2, 3, 4].map((n) => [n, n]));
  });

  test("fails at an item that cannot cross, after those before it, and ends the body", async () => {
    const ended = newWords(1);
    const items = bodies.yieldsFunction[form].with(quiet)(ended);
    expect((await items.next()).value).toBe(1);
    expect(await failure(items.next())).toBeInstanceOf(DataNotCloneableError);
    expect(ended[0]).toBe(1);
  });

  test("whose body does not return something iterable says so", async () => {
    const error = (await failure(all(bodies.list[form].with(quiet)(5 as never)))) as Error;
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toMatch(/must return something iterable.*Number/);
    const Wrapper = form === "pooled" ? IteratorWrapper : IteratorWrapperSeparate;
    const awaits = (await failure(all(new Wrapper(bodies.asyncRows as never, quiet)))) as Error;
    expect(awaits.message).toMatch(/must return something iterable.*an async iterable/);
  });

  test("whose iterator gives something else than steps fails, as a loop over it would, and does not go on for ever", async () => {
    const error = (await failure(all(bodies.yieldsNothing[form].with(quiet)()))) as Error;
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toMatch(/gave 5 instead of/);
  });

  test("has run the body's finally, once, when its loop is left by break, return or throw", async () => {
    const leave = {
      break: async (items: AsyncIterable<number>) => {
        for await (const item of items) if (item === 3) break;
      },
      return: async (items: AsyncIterable<number>) => {
        for await (const item of items) if (item === 3) return;
      },
      throw: async (items: AsyncIterable<number>) => {
        for await (const item of items) if (item === 3) throw new Error("left");
      },
    };
    for (const how of Object.values(leave)) {
      const made = newWords(2);
      await how(bodies.counts[form].with({ maxSize: 2 })(made)).catch(() => undefined);
      expect(made[ENDED]).toBe(1);
    }
  });

  test("has run the body's finally when close() is fulfilled and when an await using block is left", async () => {
    const made = newWords(2);
    const items = bodies.counts[form](made);
    await items.next();
    await Promise.all([items.close(), items.close()]);
    await items.close();
    expect(made[ENDED]).toBe(1);
    expect(items.closed).toBe(true);
    {
      await using used = bodies.counts[form].with({ maxSize: 1 })(made);
      await used.next();
    }
    expect(made[ENDED]).toBe(2);
  });

  test("gives no more items after close(), though some were there", async () => {
    const made = newWords(2);
    const items = bodies.counts[form](made);
    await items.next();
    await eventually(() => Atomics.load(made, MADE) > 10, "items to be there");
    const closing = items.close();
    expect(await items.next()).toEqual({ done: true, value: undefined });
    await closing;
    expect(await items.next()).toEqual({ done: true, value: undefined });
  });

  test("that is closed while somebody waits for an item ends that wait", async () => {
    const gate = newGate();
    const items = bodies.burst[form](gate);
    for (let i = 0; i < 3; i++) await items.next();
    const waiting = items.next();
    const closing = items.close();
    expect(await within(waiting, "the waiting next()")).toEqual({ done: true, value: undefined });
    open(gate);
    await closing;
  });

  test("closed before it starts never starts", async () => {
    const made = newWords(2);
    const items = bodies.counts[form](made);
    await items.close();
    expect(await items.next()).toEqual({ done: true, value: undefined });
    await settlesAt(made, MADE, 0);
  });

  test("is closed by its signal: the waiter gets TaskCancelledError, the finally runs", async () => {
    const made = newWords(2);
    const abort = new AbortController();
    const items = bodies.counts[form].with({ signal: abort.signal, maxSize: 2, ...quiet })(made);
    await items.next();
    abort.abort("enough");
    const error = (await failure(items.next())) as TaskCancelledError;
    expect(error).toBeInstanceOf(TaskCancelledError);
    expect(error.reason).toBe("enough");
    expect(await items.next()).toEqual({ done: true, value: undefined });
    await items.close();
    expect(made[ENDED]).toBe(1);
    const late = bodies.counts[form].with({ signal: abort.signal })(made);
    expect(await failure(late.next())).toBeInstanceOf(TaskCancelledError);
  });

  test("whose signal is aborted is left when its finally has run, as by a break", async () => {
    const made = newWords(2);
    const between = new AbortController();
    const counted = bodies.counts[form].with({ signal: between.signal, maxSize: 1, ...quiet })(made);
    await counted.next();
    await settlesAt(made, MADE, 2);
    between.abort();
    expect(await counted.next().catch(() => made[ENDED])).toBe(1);

    const gate = newGate();
    const waiting = new AbortController();
    const gated = bodies.endsAfter[form].with({ signal: waiting.signal, ...quiet })(gate, made);
    await gated.next();
    const left = gated.next().catch(() => made[ENDED]);
    waiting.abort(); // whoever waits for an item is told by close() itself, which has not given its promise yet
    open(gate);
    expect(await left).toBe(2);
  });

  test("that no pool takes says so once, and is over then", async () => {
    if (form === "separate") return;
    const executor = new ThreadPoolExecutor(1);
    await executor.shutdown();
    const items = bodies.counts.pooled.with({ executor })(newWords(2));
    expect(await failure(items.next())).toBeInstanceOf(ManagerNotRunning);
    expect(await items.next()).toEqual({ done: true, value: undefined });
    expect(items.closed).toBe(true);
  });

  test("is ended by its timeoutMs, and its finally runs", async () => {
    const made = newWords(2);
    const items = bodies.counts[form].with({ timeoutMs: 1_500, maxSize: 1, ...quiet })(made);
    await items.next();
    await eventually(() => Atomics.load(made, ENDED) === 1, "the body to end");
    const error = await failure(all(items));
    expect(error).toBeInstanceOf(TaskTimeoutError);
  });

  test("gives what a dying thread had yielded, then WorkerCrashedError", async () => {
    const seen: number[] = [];
    const error = await failure(
      (async () => {
        for await (const item of bodies.exitsAfter[form].with(quiet)(10)) seen.push(item);
      })(),
    );
    expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(error).toBeInstanceOf(WorkerCrashedError);
  });

  test("throws from the loop that is left what its finally throws", async () => {
    const items = bodies.finallyThrows[form].with(quiet)();
    await items.next();
    const error = (await failure(items.close())) as Error;
    expect([error.name, error.message]).toEqual(["RangeError", "finally"]);
  });

  test("with closeTimeoutMs is left in time also when its body never yields again", async () => {
    const begun = newGate();
    const items = bodies.deaf[form].with({ closeTimeoutMs: 50, ...quiet })(begun);
    await items.next();
    await reached(begun);
    await within(items.close(), "close()");
  });

  test("with a closeTimeoutMs that no timer counts to is waited for", async () => {
    const gate = newGate();
    const made = newWords(2);
    const items = bodies.endsAfter[form].with({ closeTimeoutMs: 2 ** 31 })(gate, made);
    await items.next();
    await eventually(() => Atomics.load(made, MADE) === 1, "the body to wait");
    const closing = items.close();
    await settlesAt(made, ENDED, 0);
    open(gate);
    await closing;
    expect(made[ENDED]).toBe(1);
  });

  test("sees context variables as they were at the call", async () => {
    const items = bodies.requestId.run("call", () => bodies.contextOf[form]());
    expect(await bodies.requestId.run("loop", () => all(items))).toEqual(["call"]);
  });

  test("runs its finally when its consumer's thread ends, by exit or termination", async () => {
    for (const how of ["exit", "terminate"] as const) {
      const made = newWords(2);
      const worker = new Worker(new URL("./fixtures/consumer.mjs", import.meta.url), {
        workerData: { form, made, how },
      });
      onTestFinished(() => void worker.terminate());
      await within(once(worker, "message"), "the consumer to have taken an item");
      await settlesAt(made, MADE, 3);
      if (how === "exit") worker.postMessage("exit");
      else await worker.terminate();
      await eventually(() => Atomics.load(made, ENDED) === 1, `the finally after ${how}`);
    }
  });

  test("read by two loops gives each item to one of them, and ends for both when one is left", async () => {
    const shared = bodies.counts[form].with({ maxSize: 4 })(newWords(2), 100);
    const halves = await within(Promise.all([all(shared), all(shared)]), "two loops");
    expect(halves.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
    expect(await all(shared)).toEqual([]);
    const made = newWords(2);
    const left = bodies.counts[form].with({ maxSize: 4 })(made);
    const leaves = (async () => {
      for await (const item of left) if (item >= 5) break;
    })();
    await within(Promise.all([leaves, all(left)]), "the loop that was not left");
    expect(made[ENDED]).toBe(1);
  });

  test("left in an outer loop while an inner one is under way ends both bodies", async () => {
    const [outerMade, innerMade] = [newWords(2), newWords(2)];
    outer: for await (const _ of bodies.counts[form].with({ maxSize: 2 })(outerMade))
      for await (const item of bodies.counts[form].with({ maxSize: 2 })(innerMade)) if (item === 3) break outer;
    expect([outerMade[ENDED], innerMade[ENDED]]).toEqual([1, 1]);
  });

  test("can be read in turns with another, each its own thread's pace", async () => {
    const [a, b] = [
      bodies.counts[form].with({ maxSize: 1 })(newWords(2)),
      bodies.counts[form].with({ maxSize: 1 })(newWords(2)),
    ];
    for (let i = 1; i <= 5; i++) expect([(await a.next()).value, (await b.next()).value]).toEqual([i, i]);
    await Promise.all([a.close(), b.close()]);
  });
});

test.each(["pooled", "separate"] as const)(
  "an iterable whose consumer threw it away without leaving it is ended by garbage collection, as the last net (%s)",
  async (form) => {
    const collect = garbageCollector();
    const made = newWords(2);
    await (async () => {
      const items = bodies.counts[form].with({ maxSize: 2 })(made);
      await items.next();
    })();
    await eventually(() => {
      collect();
      return Atomics.load(made, ENDED) === 1;
    }, "the finally to run");
  },
);

test.each(["pooled", "separate"] as const)(
  "a %s iterable that nobody has any more, but somebody waits for, is not collected before it has given its item",
  async (form) => {
    const collect = garbageCollector();
    const gate = newGate();
    // In a function of its own, whose frame is gone then.
    const waiting = (() => bodies.yieldsAfter[form](gate).next())();
    for (let turn = 0; turn < 20; turn++) {
      collect();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    open(gate);
    expect(await within(waiting, "the item")).toEqual({ done: false, value: 1 });
  },
);

describe("a saturated pool", () => {
  test("lets an iterable be closed that could not begin, and never begins it", async () => {
    const executor = new ThreadPoolExecutor(1);
    onTestFinished(async () => void (await executor.shutdown()));
    const [begun, gate] = [newGate(), newGate()];
    const holding = bodies.holds.pooled.with({ executor })(begun, gate);
    blockUntilReached(begun);
    const made = newWords(2);
    const items = bodies.counts.pooled.with({ executor })(made);
    const waiting = items.next();
    await within(items.close(), "close()");
    await items.close();
    expect(await waiting).toEqual({ done: true, value: undefined });
    open(gate);
    await holding;
    await bodies.add.pooled.with({ executor })(1, 1);
    expect([...made]).toEqual([0, 0]);
  });

  test("runs a body beside the task that reads it, on one and the same thread, within its bound", async () => {
    const { readsInside } = await import("./fixtures/reads-inside.mjs");
    const executor = new ThreadPoolExecutor(1);
    onTestFinished(async () => void (await executor.shutdown()));
    const made = newWords(2);
    expect(
      await within(
        executor.submit(readsInside(made, 50, String(executor.manager.id))),
        "a task that reads an iterable of its own pool",
      ),
    ).toEqual({ sum: 1275, ahead: 4 });
    expect(made[ENDED]).toBe(1);
  });
});

describe.each([
  ["IteratorWrapper", IteratorWrapper],
  ["IteratorWrapperSeparate", IteratorWrapperSeparate],
] as const)("%s", (name, Wrapper) => {
  test("reads a call of a declared generator, with a bound", async () => {
    const made = newWords(2);
    const items = new Wrapper<number>(bodies.counts.pooled.call(made), { maxSize: 2 });
    expect(items).toBeInstanceOf(ThreadedIterator);
    expect((await items.next()).value).toBe(1);
    await settlesAt(made, MADE, 3);
    await items.close();
    expect(made[ENDED]).toBe(1);
  });

  test("refuses a function that was not declared, and options that make no sense", () => {
    expect(() => new Wrapper((() => []) as never)).toThrow(NotATaskError);
    const call = bodies.counts.pooled.call(newWords(2));
    expect(() => new Wrapper(call, { maxSize: -1 })).toThrow(RangeError);
    expect(() => new Wrapper(call, { maxsize: 1 } as never)).toThrow(`${name}: there is no option "maxsize"`);
  });
});

test.each(["pooled", "separate"])(
  "a program that leaves one (%s) open ends, and the body's finally has run",
  async (form) => {
    expect(await runScript("leaves-open.mjs", form)).toEqual({ code: 0, stdout: "0\nthe finally has run\n" });
  },
);
