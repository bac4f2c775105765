/** One run of an iterable, from the first `next()` to the end of its body: what stands behind a `ThreadedIterator`. */
import { TaskCancelledError, type TaskFuture, TaskTimeoutError, WorkerCrashedError } from "@duck-ts/runtime";
import {
  captureContext,
  currentThread,
  futureInternals,
  line,
  logger,
  runWithContext,
  type TaskCall,
  taskRefOf,
  threadWide,
} from "@duck-ts/runtime/internal";
import { onAbort } from "../on-abort.ts";
import { LONGEST_MS } from "./bounds.ts";
import { type Place, placeWith, submitTo } from "./executor.ts";
import { Intake, type Waiter } from "./stream/intake.ts";
import { produce } from "./stream/produce.ts";
import { NOTHING } from "./stream/ring.ts";
import { FINALLY_THREW, LIFE, NOT_BEGUN, REVOKED } from "./stream/words.ts";

export type RunOptions = { readonly maxSize: number; readonly closeTimeoutMs: number };

/** How long a body has, after its signal was aborted, before its task is cancelled and its thread may be terminated. */
const ABORT_GRACE_MS = 500;

const FINISHED: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined });

export class IterableRun {
  readonly #call: TaskCall<unknown>;
  readonly #place: Place;
  readonly #options: RunOptions;
  readonly #context: ReturnType<typeof captureContext>;
  readonly #intake: Intake;
  #future: TaskFuture<void> | undefined;
  #settled: Promise<void> | undefined;
  /** Left by its consumer, in whatever way. */
  #closed = false;
  /** Everything was given and told. */
  #over = false;
  #closing: Promise<void> | undefined;
  /** What the next `next()` throws, once. */
  #failure: { readonly thrown: unknown } | undefined;
  #forgetSignal: (() => void) | undefined;

  constructor(call: TaskCall<unknown>, place: Place, options: RunOptions) {
    this.#call = call;
    const { signal } = place.options;
    // The pool is not told of it: it would take the task away from a body that has yet to run its `finally`.
    this.#place = signal === undefined ? place : placeWith(place, { signal: undefined }, "iterable");
    this.#options = options;
    this.#context = captureContext();
    this.#intake = new Intake({
      maxSize: options.maxSize,
      label: call.task.name === "" ? "an iterable" : `the iterable ${call.task.name}`,
      finished: () => this.#finished(),
    });
    if (signal !== undefined) this.#follow(signal);
  }

  get closed(): boolean {
    return this.#closed || this.#over;
  }

  /**
   * @param asked the iterator, which lives at least as long as it is waited for.
   * @param caller the iterator's own method, from which on frames are left out of stacks: a frame holds its `this`.
   */
  next(asked: object, caller: (...args: never[]) => unknown): Promise<IteratorResult<unknown, undefined>> {
    if (this.#failure !== undefined) return this.#tell(this.#failure);
    if (this.#closed || this.#over) return Promise.resolve(FINISHED);
    try {
      if (this.#future === undefined) this.#start(caller);
    } catch (error) {
      this.#end(); // no pool takes it: it has come to its end without a beginning
      return Promise.reject(error);
    }
    try {
      const value = this.#intake.takeNow();
      if (value !== NOTHING) return Promise.resolve({ done: false, value });
    } catch (error) {
      return Promise.reject(error);
    }
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        asked,
        give: (value) => resolve({ done: false, value }),
        fail: reject,
        end: () => {
          this.#end();
          resolve(this.#failure === undefined ? FINISHED : this.#tell(this.#failure));
        },
      };
      this.#intake.request(waiter);
    });
  }

  /** Once. Where its signal ended it, after the body's `finally`: this way of leaving the loop waits for that, too. */
  async #tell({ thrown }: { readonly thrown: unknown }): Promise<never> {
    this.#failure = undefined;
    await null; // it may be close() that ends a waiter, before it has given its promise
    await this.#closing?.catch(() => undefined);
    throw thrown;
  }

  /** Fulfilled when the body has ended, its `finally` included. Always the same promise. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  #start(caller: (...args: never[]) => unknown): void {
    const { task, args } = this.#call;
    const stream = this.#intake.passport();
    const future = runWithContext(this.#context, () =>
      submitTo(this.#place, produce(stream, taskRefOf(task), args), caller),
    );
    this.#future = future;
    const over = (): void => {
      this.#intake.shut(); // also where it failed from outside: then its body is to end
      this.#intake.serve();
    };
    // A `then`, not a callback: it counts as awaiting, so that a full pool can run the body beside the task that awaits.
    this.#settled = future.then(over, over);
    // What keeps the process alive is whoever waits for an item or for the end.
    if (!this.#place.separate || this.#place.options.detach !== false) future.letProcessEnd();
    openRuns().add(this);
  }

  #finished(): boolean {
    if (this.#closed) return true;
    if (this.#future?.done !== true) return false;
    const outcome = futureInternals.outcome(this.#future as TaskFuture<unknown>);
    // Ended from outside, it may have had an item in the making that will never come.
    if (outcome?.ok === false && isFromOutside(outcome.thrown)) return true;
    return this.#intake.count <= 0;
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    openRuns().delete(this);
    this.#forgetSignal?.();
    this.#intake.dispose();
    if (this.#closed || this.#future === undefined) return;
    const outcome = futureInternals.outcome(this.#future as TaskFuture<unknown>);
    if (outcome?.ok === false) this.#failure = { thrown: outcome.thrown };
  }

  async #close(): Promise<void> {
    const wasOver = this.#over;
    this.#closed = true;
    this.#forgetSignal?.();
    this.#intake.shut();
    this.#intake.serve();
    if (wasOver || this.#future === undefined) {
      this.#intake.dispose();
      return;
    }
    const future = this.#future;
    if (Atomics.compareExchange(this.#intake.words, LIFE, NOT_BEGUN, REVOKED) === NOT_BEGUN)
      future.cancel("the iterable was closed before it began");
    const { closeTimeoutMs } = this.#options;
    const timer =
      closeTimeoutMs > LONGEST_MS
        ? undefined
        : setTimeout(
            () => future.cancel(`the iterable was closed, and its body had not ended ${closeTimeoutMs} ms later`),
            closeTimeoutMs,
          );
    line().hold();
    await this.#settled;
    line().letGo();
    clearTimeout(timer);
    openRuns().delete(this);
    this.#intake.dispose();
    const outcome = futureInternals.outcome(future as TaskFuture<unknown>);
    if (outcome?.ok !== false) return;
    // What it threw while nobody read any more is nobody's; a `finally` that failed or never ran is the caller's.
    const threw = Atomics.load(this.#intake.words, LIFE) === FINALLY_THREW;
    if (threw || outcome.thrown instanceof WorkerCrashedError) throw outcome.thrown;
  }

  /** How many items its body had handed over when it came to wait for room, if nobody waits for the next one. */
  stuckAfter(): number | undefined {
    const isElsewhere = !this.#place.separate && this.#place.executor !== undefined; // that executor's end is not at hand
    return this.closed || isElsewhere ? undefined : this.#intake.stuckAfter();
  }

  /** Closes it from outside: the next `next()` throws that. */
  abandon(thrown: TaskCancelledError): void {
    if (this.#closed || this.#over) return;
    this.#failure = { thrown };
    const closing = this.close();
    const timer = setTimeout(() => this.#future?.cancel(thrown.reason), ABORT_GRACE_MS);
    closing.then(
      () => clearTimeout(timer),
      () => clearTimeout(timer),
    );
  }

  #follow(signal: AbortSignal): void {
    const abort = (): void =>
      this.abandon(new TaskCancelledError("The iterable was closed: its signal was aborted.", signal.reason));
    if (signal.aborted) {
      abort();
      return;
    }
    this.#forgetSignal = onAbort(signal, abort);
  }
}

/** Those that have begun and not come to an end. When their thread has nothing left to do they are closed, so that it can end. */
export function openRuns(): Set<IterableRun> {
  return threadWide("open-iterables", () => {
    const open = new Set<IterableRun>();
    process.on("beforeExit", () => {
      for (const run of open) {
        run.close().catch((error: unknown) => {
          logger().warn(
            { err: error, thread: currentThread().name },
            "an iterable that was open at the end failed to close",
          );
        });
      }
    });
    return open;
  });
}

function isFromOutside(thrown: unknown): boolean {
  return (
    thrown instanceof WorkerCrashedError || thrown instanceof TaskCancelledError || thrown instanceof TaskTimeoutError
  );
}
