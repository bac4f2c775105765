/** Iterables and channels with threads that wait for room in them, and whose reader has left them without a word. */
import { TaskCancelledError } from "@duck-ts/runtime";
import { currentThread, logger } from "@duck-ts/runtime/internal";
import { managerTree, type ThreadNode } from "../tree.ts";
import { consumedStreams, type StreamNews } from "./client.ts";
import { type IterableRun, openRuns } from "./iterable-run.ts";

/** How long a reader may be busy with what it has taken, while its threads are to end. */
const UNREAD_MS = 1_000;

/**
 * From now on an iterable of this thread that nobody reads is closed: its `finally` runs, and a reader that comes back gets
 * an error. So is a channel in which a thread waits for room that `isToEnd` speaks of, or one below it: that thread's
 * `put()` throws, and what is in it can still be taken. For whoever waits for the pool to be done: such a body never would
 * be. Returns the way to end that.
 */
export function closeUnread(why: string, isToEnd: (thread: ThreadNode) => boolean): () => void {
  let seen = new Map<IterableRun | StreamNews, number>();
  let isOver = false;
  const timer = setInterval(() => {
    const stuck = new Map<IterableRun | StreamNews, number>();
    const isUnread = (one: IterableRun | StreamNews): boolean => {
      const taken = one.stuckAfter();
      if (taken === undefined) return false;
      stuck.set(one, taken);
      return seen.get(one) === taken;
    };
    for (const run of openRuns()) {
      if (isUnread(run)) run.abandon(new TaskCancelledError(`The iterable was closed: ${why}, and nobody read it.`));
    }
    const channels = [...consumedStreams().values()].filter((stream) => stream.isChannel && isUnread(stream));
    if (channels.length > 0)
      void threadsBelow(isToEnd).then((threads) => {
        for (const channel of isOver ? [] : channels) closeChannel(channel, threads, why);
      });
    seen = stuck;
  }, UNREAD_MS);
  timer.unref();
  return () => {
    isOver = true;
    clearInterval(timer);
  };
}

function closeChannel(channel: StreamNews, threads: ReadonlySet<number>, why: string): void {
  if (channel.stuckAfter() === undefined || !channel.stuckThreads().some((thread) => threads.has(thread))) return;
  logger().warn(
    { thread: currentThread().name },
    `${channel.label} was closed: ${why}, and nobody read it. Read it to its end, or close it, before that.`,
  );
  channel.shut();
  channel.serve();
}

/** The ids of the threads that fit, and of all below them. */
async function threadsBelow(fits: (thread: ThreadNode) => boolean): Promise<Set<number>> {
  const ids = new Set<number>();
  const visit = (thread: ThreadNode, isBelow: boolean): void => {
    const isOne = isBelow || fits(thread);
    if (isOne) ids.add(thread.id);
    for (const child of thread.children) visit(child, isOne);
  };
  visit(await managerTree(), false);
  return ids;
}
