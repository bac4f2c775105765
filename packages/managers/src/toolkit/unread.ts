/** Iterables whose body waits for room, and whose reader has left them without a word. */
import { TaskCancelledError } from "@duck-ts/runtime";
import { type IterableRun, openRuns } from "./iterable-run.ts";

/** How long a reader may be busy with what it has taken, while its threads are to end. */
const UNREAD_MS = 1_000;

/**
 * From now on an iterable of this thread that nobody reads is closed: its `finally` runs, and a reader that comes back gets
 * an error. For whoever waits for the pool to be done: such a body never would be. Returns the way to end that.
 */
export function closeUnread(why: string): () => void {
  let seen = new Map<IterableRun, number>();
  const timer = setInterval(() => {
    const stuck = new Map<IterableRun, number>();
    for (const run of openRuns()) {
      const taken = run.stuckAfter();
      if (taken === undefined) continue;
      stuck.set(run, taken);
      if (seen.get(run) === taken)
        run.abandon(new TaskCancelledError(`The iterable was closed: ${why}, and nobody read it.`));
    }
    seen = stuck;
  }, UNREAD_MS);
  timer.unref();
  return () => clearInterval(timer);
}
