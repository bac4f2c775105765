import { inspect } from "node:util";
import type { TaskCall } from "@duck-ts/runtime";
import { checkMaxSize, checkMs, DEFAULT_MAX_SIZE } from "./bounds.ts";
import type { Place } from "./executor.ts";
import { IterableRun, type RunOptions } from "./iterable-run.ts";

/** How far ahead of its consumer a body runs, and how long leaving it may take. */
export interface IterableOptions {
  /** The most items produced ahead of the consumer. Default 1024; 0: no bound. */
  readonly maxSize?: number | undefined;
  /**
   * How long `close()`, or leaving the loop, waits for a body that neither yields nor ends, in milliseconds; then its
   * thread is terminated, without its `finally`. Default: no bound.
   */
  readonly closeTimeoutMs?: number | undefined;
}

export const ITERABLE_OPTIONS: readonly (keyof IterableOptions)[] = ["maxSize", "closeTimeoutMs"];

// A consumer that loses interest without leaving its loop (it threw the iterator away) must not hold a thread for ever.
const lost = new FinalizationRegistry<IterableRun>((run) => void run.close().catch(() => undefined));

/**
 * What a body in another thread yields, read here. Nothing runs before the first `next()`. Leaving a `for await` loop,
 * `close()` and `await using` all end the body and wait until its `finally` has run.
 *
 * Belongs to the thread that made it. No method blocks.
 */
export class ThreadedIterator<T> implements AsyncIterableIterator<T> {
  readonly #run: IterableRun;
  readonly #name: string;

  /** @internal Users call a threaded iterable, or make an `IteratorWrapper`. */
  constructor(call: TaskCall<unknown>, place: Place, options: RunOptions) {
    this.#run = new IterableRun(call, place, options);
    this.#name = call.task.name;
    lost.register(this, this.#run, this);
  }

  /** Whether it was closed or has come to its end. */
  get closed(): boolean {
    return this.#run.closed;
  }

  /**
   * The next item. Items come in order; what the body throws comes after everything it had yielded.
   *
   * Rejects with what the body threw, `WorkerCrashedError` if its thread ended, `TaskCancelledError` if its signal was
   * aborted, `DataNotCloneableError` for an item that cannot cross; once, and with `done` from then on.
   */
  next(): Promise<IteratorResult<T, undefined>> {
    return this.#run.next(this, ThreadedIterator.prototype.next) as Promise<IteratorResult<T, undefined>>;
  }

  /** As {@link close}; called by a `for await` loop that is left. */
  async return(): Promise<IteratorReturnResult<undefined>> {
    await this.close();
    return { done: true, value: undefined };
  }

  async throw(error?: unknown): Promise<IteratorResult<T, undefined>> {
    await this.close();
    throw error;
  }

  /**
   * Ends the body. Fulfilled when its `finally` has run; no more items are given from now on. May be called at any time,
   * as often as one likes. Rejects with what a `finally` threw, or `WorkerCrashedError` if it could not run.
   */
  close(): Promise<void> {
    lost.unregister(this);
    return this.#run.close();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  toString(): string {
    return `<ThreadedIterator ${this.#name}${this.closed ? " closed" : ""}>`;
  }
}

// The build has to rename a class that speaks of itself.
Object.defineProperty(ThreadedIterator, "name", { value: "ThreadedIterator" });

Object.defineProperty(ThreadedIterator.prototype, inspect.custom, {
  value(this: ThreadedIterator<unknown>): string {
    return this.toString();
  },
});

/**
 * The options with what is left out.
 *
 * @throws TypeError, RangeError
 */
export function checkIterable(
  { maxSize = DEFAULT_MAX_SIZE, closeTimeoutMs = Number.POSITIVE_INFINITY }: IterableOptions,
  where: string,
): RunOptions {
  return { maxSize: checkMaxSize(maxSize, where), closeTimeoutMs: checkMs(closeTimeoutMs, "closeTimeoutMs", where) };
}
