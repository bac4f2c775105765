/** Many tasks of which some are faulty, in a pool: what each must come to, and what the pool must be like afterwards. */
import type { ThreadPoolManager } from "@duck-ts/managers";
import * as tasks from "../fixtures/tasks.mjs";
import { newGate } from "./gates.ts";

/** A repeatable sequence of numbers from 0 to 1 (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export type Storm = {
  readonly submitted: number;
  readonly wrong: readonly string[];
  readonly byOutcome: Readonly<Record<string, number>>;
};

/** Of `count` tasks 2% call process.exit, 1% run out of memory, 1% return what cannot be cloned, 2% loop for ever with a deadline. */
export async function storm(pool: ThreadPoolManager, count: number, seed: number): Promise<Storm> {
  const random = seeded(seed);
  const quiet = { logException: false };
  const wrong: string[] = [];
  const byOutcome: Record<string, number> = {};
  const expectThat = async (name: string, wanted: readonly string[], got: Promise<string>): Promise<void> => {
    const is = await got;
    byOutcome[is] = (byOutcome[is] ?? 0) + 1;
    if (!wanted.includes(is)) wrong.push(`${name}: ${is}`);
  };
  const open: Promise<void>[] = [];
  for (let i = 0; i < count; i++) {
    const draw = random();
    if (draw < 0.02) open.push(expectThat(`exit ${i}`, ["exit"], how(pool.submitTask(tasks.exits(3), quiet))));
    else if (draw < 0.03)
      open.push(expectThat(`memory ${i}`, ["out-of-memory"], how(pool.submitTask(tasks.outOfMemory(), quiet))));
    else if (draw < 0.04)
      open.push(expectThat(`clone ${i}`, ["DataNotCloneableError"], how(pool.submitTask(tasks.uncloneable(), quiet))));
    else if (draw < 0.06) {
      // A task's time runs from its submission: what waits that long behind the others is dropped, with the same error.
      const future = pool.submitTask(tasks.spins(newGate()), { timeoutMs: 30 + Math.floor(random() * 100), ...quiet });
      open.push(expectThat(`spin ${i}`, ["TaskTimeoutError"], how(future)));
    } else {
      const call = draw < 0.5 ? tasks.echo(i) : tasks.echoAsync(i);
      const value = pool
        .submitTask(call, quiet)
        .then((got) => (got === i ? "ok" : `got ${String(got)} for ${i}`), nameOf);
      open.push(expectThat(`healthy ${i}`, ["ok"], value));
    }
    // Some in bursts, some after others have ended: the pool is met full, empty and in between.
    if (random() < 0.02) await Promise.race(open.slice(-3));
    if (open.length % 200 === 0) await Promise.all(open.slice(-50));
  }
  await Promise.all(open);
  return { submitted: count, wrong, byOutcome };
}

async function how(future: PromiseLike<unknown>): Promise<string> {
  try {
    await future;
    return "ok";
  } catch (error) {
    return nameOf(error);
  }
}

function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "reason" in error && error.name === "WorkerCrashedError" ? String(error.reason) : error.name;
}
