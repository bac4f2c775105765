import { clearTimeout, setTimeout } from "node:timers"; // not those that a test may have replaced by a clock of its own
import { submissionsOf } from "../task/known-tasks.ts";
import type { AnyTask } from "../task/task.ts";
import { keepShape } from "../thread/kept-shapes.ts";

/**
 * Where a task was submitted. Keeping a stack costs several times what all the rest of a submission does, so each task has
 * a stock of them that fills up again over time; a submission beyond that points to the latest stack kept, with a note that
 * says so.
 */
export type Submission = { readonly at: { stack?: string }; readonly isOwn: boolean };

const STACKS = 16;
const ANOTHER_EVERY_MS = 2;
/** Said beneath a stack that another submission shares. */
export const NOT_ITS_OWN: string = `\n    at (a submission of this task at most ${ANOTHER_EVERY_MS} ms before; in a burst not each keeps its own stack)`;

/** `near`: what the next submissions share. */
type Stock = { since: number; left: number; near: Submission | undefined };

/** The stocks that have a stack to share. */
const sharing = new Set<Stock>();

/**
 * The frames of a stack hold the `this` of each of its functions, so it is shared for a while only. (By a timer, and one
 * for all: a WeakRef keeps what it refers to until the turn of the event loop ends, and a thread may block in a turn that
 * never does. There the timer does not come either, and each task has the one stack.)
 */
const SHARED_FOR_MS = 100;

function shareForAWhile(stock: Stock, stack: Submission): void {
  stock.near = stack;
  const isFirst = sharing.size === 0;
  sharing.add(stock);
  if (!isFirst) return; // the timer runs
  setTimeout(() => {
    for (const each of sharing) each.near = undefined;
    sharing.clear();
  }, SHARED_FOR_MS).unref();
}

/** Keeps where `task` is being submitted, `now` (`Date.now()`): the stack above `submitter`, or one close to it. */
export function submission(task: AnyTask, submitter: (...args: never[]) => unknown, now: number): Submission {
  const place = submissionsOf(task);
  place.submissions ??= { since: now, left: STACKS, near: undefined } satisfies Stock;
  const known = place.submissions as Stock;
  const passed = now - known.since;
  if (passed >= ANOTHER_EVERY_MS || passed < 0) {
    known.left = Math.min(STACKS, known.left + Math.floor(Math.max(0, passed) / ANOTHER_EVERY_MS));
    known.since = now; // also where somebody has set the clock back
  }
  if (known.left > 0) known.left -= 1;
  else if (known.near !== undefined) return known.near;
  const own = ownStack(submitter);
  shareForAWhile(known, { at: own.at, isOwn: false });
  return own;
}

function ownStack(submitter: (...args: never[]) => unknown): Submission {
  const at = {};
  Error.captureStackTrace(at, submitter);
  return { at, isOwn: true };
}

const example = ownStack(stackAbove); // which is not on the stack: so none of its frames is kept, and nobody's `this`
const timer = setTimeout(() => undefined, SHARED_FOR_MS);
clearTimeout(timer);
keepShape(example, example.at, timer);

/** The stack above the caller named, if it is on the stack at all. */
export function stackAbove(caller: (...args: never[]) => unknown): string | undefined {
  const holder: { stack?: string } = {};
  Error.captureStackTrace(holder, caller);
  return holder.stack?.includes("\n") ? holder.stack : undefined;
}
