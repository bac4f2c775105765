/**
 * What races, many times, by a seed that is told: `DUCK_SEED=7 npx vitest run stress`. `DUCK_STRESS=full` runs the whole
 * numbers, which take a minute or two.
 */
import { FromThreadChannel, ThreadPoolExecutor } from "@duck-ts/managers";
import { describe, expect, onTestFinished, test } from "vitest";
import { eventually, newWords, outcome, within } from "../support/gates.ts";
import * as bodies from "./fixtures/bodies.mjs";
import { leavesNoThread } from "./support/threads.ts";

leavesNoThread();

const full = process.env.DUCK_STRESS === "full";
const seed = Number(process.env.DUCK_SEED ?? 1);
const minutes = 120_000;
const quiet = { logException: false } as const;

/** mulberry32: numbers from 0 to 1, the same for the same seed. */
function random(from: number): () => number {
  let state = from >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

test.each([1, 16, 1024, 0])(
  `8 producers through one channel of maxSize %i: nothing lost, each in order (seed ${seed})`,
  async (maxSize) => {
    const items = full ? 10_000 : 1_000;
    const channel = new FromThreadChannel<[unknown, number]>({ maxSize });
    const done = Promise.all(
      Array.from({ length: 8 }, (_, from) => bodies.puts.separate(channel, from, items)),
    ).finally(() => channel.close());
    const next = new Array<number>(8).fill(0);
    const pauses = random(seed);
    for await (const [from, n] of channel) {
      if (n !== next[from as number]) expect(n).toBe(next[from as number]);
      next[from as number] = n + 1;
      if (pauses() < 0.001) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(next).toEqual(new Array(8).fill(items));
    await done;
  },
  minutes,
);

describe.each(["pooled", "separate"] as const)("%s iterables", (form) => {
  test(
    `opened and left at a random item, in a random way: every finally ran once (seed ${seed})`,
    async () => {
      const runs = form === "separate" ? (full ? 100 : 20) : full ? 1_000 : 200;
      const dice = random(seed);
      const made = newWords(2);
      let begun = 0;
      const one = async (): Promise<void> => {
        const stopAt = Math.floor(dice() * 40);
        const how = dice();
        const abort = new AbortController();
        const items = bodies.counts[form].with({
          maxSize: 1 + Math.floor(dice() * 20),
          signal: abort.signal,
          ...quiet,
        })(made);
        let n = 0;
        if (stopAt === 0) return items.close();
        begun += 1;
        try {
          for await (const item of items) {
            n += 1;
            if (item !== n) expect(item).toBe(n);
            if (n < stopAt) continue;
            if (how < 0.4) break;
            if (how < 0.6) throw new Error("left");
            if (how < 0.8) abort.abort();
            else void items.close();
          }
        } catch (error) {
          if (!["left", "The iterable was closed: its signal was aborted."].includes((error as Error).message))
            throw error;
        }
        expect(n).toBe(stopAt);
        await items.close();
      };
      for (let done = 0; done < runs; done += 4)
        await within(Promise.all([one(), one(), one(), one()]), "four runs", 30_000);
      expect(Atomics.load(made, 1)).toBe(begun);
    },
    minutes,
  );
});

test.each([1, 2])(
  `nested calls on a pool of %i: all end (seed ${seed})`,
  async (size) => {
    const calls = full ? 2_000 : 300;
    const executor = new ThreadPoolExecutor(size);
    onTestFinished(async () => void (await executor.shutdown()));
    const { nestsIn } = await import("./fixtures/nests.mjs");
    const dice = random(seed);
    const id = String(executor.manager.id);
    const nest = nestsIn.with({ executor });
    for (let done = 0; done < calls; ) {
      const batch = Array.from({ length: 20 }, () => Math.floor(dice() * 6));
      const expected = batch.map((depth) => depth);
      expect(await within(Promise.all(batch.map((depth) => nest(id, depth))), "twenty nests", 30_000)).toEqual(
        expected,
      );
      done += batch.reduce((sum, depth) => sum + depth + 1, 0);
    }
  },
  minutes,
);

test(
  `calls and iterables cancelled at random moments: all are settled, every finally that was due ran once (seed ${seed})`,
  async () => {
    const rounds = full ? 400 : 60;
    const dice = random(seed);
    const executor = new ThreadPoolExecutor(2);
    onTestFinished(async () => void (await executor.shutdown()));
    const made = newWords(2);
    const begun = newWords(1);
    for (let round = 0; round < rounds; round++) {
      const begunBefore = Atomics.load(begun, 0);
      const abort = new AbortController();
      const options = { executor, signal: abort.signal, ...quiet };
      const items = bodies.countsBegun.with({ ...options, maxSize: 3 })(made, begun);
      const reading = (async () => {
        for await (const _ of items);
      })();
      const calls = Array.from({ length: 5 }, (_, n) => bodies.echo.pooled.with(options)(n));
      const delay = Math.floor(dice() * 4);
      // Now and then certainly in the middle of a run, however slow the machine.
      if (round % 10 === 0) await eventually(() => Atomics.load(begun, 0) > begunBefore, "a body to begin");
      else if (delay > 0) await new Promise((resolve) => setTimeout(resolve, delay - 1));
      abort.abort();
      for (const call of calls) expect(["ok", "TaskCancelledError"]).toContain(await outcome(call));
      expect(await outcome(reading)).toBe("TaskCancelledError");
      await within(items.close(), "close()");
    }
    await eventually(() => Atomics.load(made, 1) === Atomics.load(begun, 0), "every finally");
    expect(Atomics.load(begun, 0)).toBeGreaterThan(0);
  },
  minutes,
);
