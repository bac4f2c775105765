/** FromThreadChannel: from many threads to one. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { ChannelClosed, type ChannelTimeout, FromThreadChannel } from "@duck-ts/managers";
import { DataNotCloneableError, DeadlockError, TaskCancelledError } from "@duck-ts/runtime";
import { describe, expect, onTestFinished, test } from "vitest";
import { eventually, failure, newGate, newWords, open, reached, thrownBy, within } from "../support/gates.ts";
import * as bodies from "./fixtures/bodies.mjs";
import { runScript } from "./support/scripts.ts";
import { garbageCollector, leavesNoThread } from "./support/threads.ts";

leavesNoThread();

describe("a channel within one thread", () => {
  test("gives what was put, in order, and nothing that was changed after", async () => {
    const channel = new FromThreadChannel<unknown>();
    const row = { n: 1 };
    channel.put(row);
    row.n = 2;
    channel.put("two");
    expect([await channel.get(), await channel.get()]).toEqual([{ n: 1 }, "two"]);
    for (const uncloneable of [() => 1, Symbol("none crosses")])
      expect(thrownBy(() => channel.put(uncloneable))).toBeInstanceOf(DataNotCloneableError);
    channel.put(3);
    expect(await channel.get()).toBe(3);
  });

  test("serves those who wait in the order in which they came", async () => {
    const channel = new FromThreadChannel<number>();
    const waiting = [channel.get(), channel.get(), channel.get()];
    for (const n of [1, 2, 3]) channel.put(n);
    expect(await Promise.all(waiting)).toEqual([1, 2, 3]);
  });

  test("that is full is a DeadlockError and no freeze", async () => {
    const channel = new FromThreadChannel<number>({ maxSize: 2 });
    channel.put(1);
    channel.put(2);
    const error = thrownBy(() => channel.put(3)) as DeadlockError;
    expect(error).toBeInstanceOf(DeadlockError);
    expect(error.message).toMatch(/a channel \(maxSize 2\), which is full/);
    expect(await channel.get()).toBe(1);
    channel.put(3);
    expect([await channel.get(), await channel.get()]).toEqual([2, 3]);
  });

  test("delivers what was put before close(), then ChannelClosed, to get() and to those who wait", async () => {
    const channel = new FromThreadChannel<number>();
    channel.put(1);
    channel.close();
    channel.close();
    expect(channel.closed).toBe(true);
    expect(thrownBy(() => channel.put(2))).toBeInstanceOf(ChannelClosed);
    expect(await channel.get()).toBe(1);
    expect(await failure(channel.get())).toBeInstanceOf(ChannelClosed);
    const other = new FromThreadChannel<number>();
    const waiting = failure(other.get());
    other.close();
    expect(await waiting).toBeInstanceOf(ChannelClosed);
  });

  test("get() ends with ChannelTimeout, by its own timeoutMs or the channel's; 0 is none", async () => {
    const channel = new FromThreadChannel<number>({ timeoutMs: 10 });
    const error = (await failure(channel.get())) as ChannelTimeout;
    expect([error.name, error.code, error.timeoutMs]).toEqual(["ChannelTimeout", "DUCK_CHANNEL_TIMEOUT", 10]);
    expect(((await failure(channel.get({ timeoutMs: 5 }))) as ChannelTimeout).timeoutMs).toBe(5);
    // No timer counts to the two last: set to them it is over at once.
    const patient = [0, Number.POSITIVE_INFINITY, 2 ** 31].map((timeoutMs) => channel.get({ timeoutMs }));
    await failure(channel.get({ timeoutMs: 30 }));
    for (const n of [1, 2, 3]) channel.put(n);
    expect(await Promise.all(patient)).toEqual([1, 2, 3]);
  });

  test("get() ends when its signal is aborted, and takes nothing then", async () => {
    const channel = new FromThreadChannel<number>();
    const abort = new AbortController();
    const waiting = failure(channel.get({ signal: abort.signal }));
    abort.abort("enough");
    expect(((await waiting) as TaskCancelledError).reason).toBe("enough");
    expect(await failure(channel.get({ signal: abort.signal }))).toBeInstanceOf(TaskCancelledError);
    channel.put(1);
    expect(await channel.get()).toBe(1);
  });

  test("refuses options that make no sense", async () => {
    expect(() => new FromThreadChannel({ maxSize: -1 })).toThrow(RangeError);
    expect(() => new FromThreadChannel({ maxsize: 2 } as never)).toThrow(
      /no option "maxsize". Known: maxSize, timeoutMs/,
    );
    expect(() => new FromThreadChannel({ maxSize: "2" as never })).toThrow(TypeError);
    expect(() => new FromThreadChannel({ timeoutMs: Number.NaN })).toThrow(RangeError);
    expect(() => new FromThreadChannel({ maxSize: null as never })).toThrow(TypeError);
    const channel = new FromThreadChannel();
    expect(await failure(channel.get({ timeoutMs: -1 }))).toBeInstanceOf(RangeError);
    expect(await failure(channel.get({ timeout: 5 } as never))).toMatchObject({
      message: expect.stringMatching(/no option "timeout". Known: timeoutMs, signal/),
    });
  });
});

describe.each(["pooled", "separate"] as const)("a channel from %s producers", (form) => {
  const quiet = { logException: false } as const;

  test.each([1, 2, 64, 0])(
    "with maxSize %i loses nothing of 3 x 1000 items, and keeps the order of each producer",
    async (maxSize) => {
      const channel = new FromThreadChannel<[unknown, number]>({ maxSize });
      const done = Promise.all([0, 1, 2].map((from) => bodies.puts[form](channel, from, 1000))).finally(() =>
        channel.close(),
      );
      const seen = [0, 0, 0];
      for await (const [from, n] of channel) {
        expect(n).toBe(seen[from as number]);
        seen[from as number] = n + 1;
      }
      expect(seen).toEqual([1000, 1000, 1000]);
      await done;
    },
  );

  test("blocks put() while it is full, exactly at its bound, until something is taken", async () => {
    const channel = new FromThreadChannel<number>({ maxSize: 3 });
    const put = newWords(1);
    const producer = bodies.putsUntilClosed[form](channel, put);
    for (let taken = 0; taken < 5; taken++) {
      await eventually(() => Atomics.load(put, 0) >= 3 + taken, "the channel to be full");
      for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
      expect(Atomics.load(put, 0)).toBe(3 + taken);
      expect(await channel.get()).toBe(taken);
    }
    channel.close();
    expect(await within(producer, "a blocked put() to wake with ChannelClosed")).toBe("ChannelClosed");
  });

  test("wakes a blocked put() also when another producer closes it", async () => {
    const channel = new FromThreadChannel<number>({ maxSize: 1 });
    const put = newWords(1);
    const producer = bodies.putsUntilClosed[form](channel, put);
    await reached(put);
    await bodies.closes.separate(channel as FromThreadChannel<unknown>);
    expect(await within(producer, "the blocked put()")).toBe("ChannelClosed");
    expect(await channel.get()).toBe(0);
    expect(await failure(channel.get())).toBeInstanceOf(ChannelClosed);
  });

  test("delivers everything that a producer put before it closed the channel", async () => {
    for (let round = 0; round < 10; round++) {
      const channel = new FromThreadChannel<unknown>();
      const values = [1, "two", { three: [3, { x: 1 }] }, null, undefined, new Error("four"), new Uint8Array([5])];
      const done = bodies.putsValues[form](channel, values, true);
      const got: unknown[] = [];
      for await (const value of channel) got.push(value);
      expect(got).toEqual(values);
      await done;
    }
  });

  test("refuses an item whose getter throws, gives its place back, and takes the next", async () => {
    const channel = new FromThreadChannel<unknown>({ maxSize: 2 });
    expect(await bodies.putsThrowingGetter[form](channel)).toBe("DataNotCloneableError");
    expect([await channel.get(), await channel.get()]).toEqual([{ row: { n: 1 } }, { row: { m: 3 }, bad: 1 }]);
    channel.close();
  });

  test("keeps what a producer had put when its thread dies, and stays open for the others", async () => {
    const channel = new FromThreadChannel<number>({ maxSize: 4 });
    const dying = failure(bodies.putsAndDies[form].with(quiet)(channel, 6));
    for (let i = 0; i < 6; i++) expect(await within(channel.get(), `item ${i}`)).toBe(i);
    expect(((await dying) as Error).name).toBe("WorkerCrashedError");
    await bodies.putsValues[form](channel as FromThreadChannel<unknown>, [7, 8, 9, 10], false);
    for (const n of [7, 8, 9, 10]) expect(await channel.get()).toBe(n);
    channel.close();
  });

  test("is a DeadlockError for a producer whose consumer stands still for it, and for nobody else", async () => {
    const channel = new FromThreadChannel<[unknown, number]>({ maxSize: 2 });
    const error = thrownBy(() => bodies.puts[form].with(quiet)(channel, "x", 5).result()) as DeadlockError;
    expect(error).toBeInstanceOf(DeadlockError);
    expect(error.message).toMatch(/waits for/);
    channel.close();
  });

  test("can only be read by the thread that made it", async () => {
    const channel = new FromThreadChannel<unknown>();
    expect(await bodies.getsElsewhere[form](channel)).toMatch(
      /^TypeError: get\(\) is for the thread that made the channel/,
    );
  });

  test("can be passed on, and comes home as itself", async () => {
    const channel = new FromThreadChannel<[unknown, number]>({ maxSize: 2 });
    const done = bodies.passesOn[form](channel, 20);
    for (let i = 0; i < 20; i++) expect(await channel.get()).toEqual(["grandchild", i]);
    expect(await done).toBe(20);
    expect(await bodies.echo[form](channel)).toBe(channel);
  });

  test("wakes its producers with ChannelClosed when its consumer's thread ends, by exit or termination", async () => {
    for (const how of ["exit", "terminate"] as const) {
      const [put, said] = [newWords(1), newWords(8)];
      const worker = new Worker(new URL("./fixtures/channel-consumer.mjs", import.meta.url), {
        workerData: { form, put, said },
      });
      onTestFinished(() => void worker.terminate());
      await within(once(worker, "message"), "the consumer to be up");
      await eventually(() => Atomics.load(put, 0) === 2, "the producer to block");
      if (how === "exit") worker.postMessage("exit");
      else await worker.terminate();
      await eventually(() => Atomics.load(said, 0) === 1, `the producer to be told of the ${how}`);
    }
  });
});

test("a channel that nobody has any more, but somebody waits for, is not collected before it has given its item", async () => {
  const collect = garbageCollector();
  const gate = newGate();
  // In a function of its own, whose frame is gone then; and no task of this thread has it as an argument any more.
  const { waiting } = await (async () => {
    const channel = new FromThreadChannel<unknown>();
    const waiting = channel.get();
    await bodies.handsOn(gate, channel, "late");
    return { waiting };
  })();
  for (let turn = 0; turn < 20; turn++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  open(gate);
  expect(await within(waiting, "the item")).toBe("late");
});

test.each([
  ["never reads it", ["the producer has ended"]],
  ["has left its loop", ["the producer has ended"]],
  ["awaits the producer", ["the producer has ended", "ChannelClosed"]],
  ["has a daemon do what it reads", ["0", "1", "2", "3", "4", "the producer has ended"]],
  ["reads it later", ["0", "1", "2", "3", "4", "the producer has ended"]],
])("a program that %s ends, though a producer waits for room", async (program, lines) => {
  const { code, stdout } = await runScript("leaves-channel.mjs", program);
  expect(stdout.split("\n").filter(Boolean).sort()).toEqual([...lines].sort());
  expect(code).toBe(0);
});
