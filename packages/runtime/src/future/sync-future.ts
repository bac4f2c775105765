import { performance } from "node:perf_hooks"; // the global one is a getter, and a test may have replaced it
import { setImmediate } from "node:timers"; // not the one that a test may have replaced by a clock of its own
import { BlockingNotAllowedError, DeadlockError, FutureTimeoutError, TaskCancelledError } from "../errors.ts";
import { logger } from "../logger.ts";
import { keepShape } from "../thread/kept-shapes.ts";
import type { WaitTarget } from "../wire/messages.ts";
import { currentTaskId } from "../worker/task-context.ts";
import { type BlockingWait, blockingForbidden, blockUntil, threadLabel } from "./doorbell.ts";
import type { SharedHandle } from "./shared-handle.ts";
import { beginWait, REPORT_AFTER_MS, reportIfLong } from "./wait-report.ts";

export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly thrown: unknown; readonly cancelled: boolean };

/** A microtask by way of a promise costs less than half of what queueMicrotask() does. */
const settled = Promise.resolve();

/** Rooms that need the inside of a future (they settle it from the wire) reach it through this, not through its public face. */
export const futureInternals: {
  settle(future: SyncFuture<unknown>, outcome: Outcome<unknown>): boolean;
  share(future: SyncFuture<unknown>, make: () => SharedHandle): SharedHandle;
  handle(future: SyncFuture<unknown>): SharedHandle | undefined;
  outcome(future: SyncFuture<unknown>): Outcome<unknown> | undefined;
  bindToOwnLoop(future: SyncFuture<unknown>): void;
  waitTarget(future: SyncFuture<unknown>): WaitTarget | undefined;
  markObserved(future: SyncFuture<unknown>): void;
  /** As addDoneCallback, but it does not count as somebody looking at the outcome. */
  whenSettled(future: SyncFuture<unknown>, fn: () => void): void;
} = {} as never;

/** A thread blocks for the outcome of a future. */
class OutcomeWait implements BlockingWait {
  readonly deadline: number;
  readonly patienceMs = REPORT_AFTER_MS;
  readonly #future: SyncFuture<unknown>;
  readonly #isAnswered: boolean;
  #report: ReturnType<typeof beginWait> | undefined;

  constructor(future: SyncFuture<unknown>, isAnswered: boolean, timeoutMs: number | undefined) {
    this.#future = future;
    this.#isAnswered = isAnswered;
    this.deadline = timeoutMs === undefined ? Number.POSITIVE_INFINITY : performance.now() + timeoutMs;
  }

  get deadlock(): readonly string[] | undefined {
    return this.#report?.deadlock;
  }

  done(): boolean {
    return this.#future.done || this.deadlock !== undefined;
  }

  onPatienceLost(): void {
    const target = this.#isAnswered ? futureInternals.waitTarget(this.#future) : undefined;
    if (target !== undefined) this.#report = beginWait(target, true, this.deadline !== Number.POSITIVE_INFINITY);
  }

  onSleep(): void {
    this.#report?.stands();
  }

  end(): void {
    this.#report?.end();
  }
}

/**
 * A result that will be there later, to be awaited or blocked on. The first write wins.
 *
 * The idea is Duck's `SyncFuture`, with what it lacked: timeouts, cancellation, callbacks, an order among writers.
 */
export class SyncFuture<T> implements PromiseLike<T> {
  // The state is kept as unknown so that a future of anything is a SyncFuture<unknown> to the rooms that carry it.
  #outcome: Outcome<unknown> | undefined;
  #promise: Promise<unknown> | undefined;
  #resolve: ((value: unknown) => void) | undefined;
  #reject: ((thrown: unknown) => void) | undefined;
  #callbacks: ((future: SyncFuture<unknown>) => void)[] | undefined;
  #observed = false;
  #shared: SharedHandle | undefined;
  #onOwnLoop = false;

  static {
    futureInternals.settle = (future, outcome) => future.#settle(outcome);
    futureInternals.share = (future, make) => {
      future.#shared ??= make();
      return future.#shared;
    };
    futureInternals.handle = (future) => future.#shared;
    futureInternals.outcome = (future) => future.#outcome;
    futureInternals.bindToOwnLoop = (future) => {
      future.#onOwnLoop = true;
    };
    futureInternals.waitTarget = (future) => future.waitTarget();
    futureInternals.markObserved = (future) => {
      future.#observed = true;
    };
    futureInternals.whenSettled = (future, fn) => future.#whenSettled(fn);
  }

  /** Whether there is a result, an error, or a cancellation. Never blocks. */
  get done(): boolean {
    return this.#outcome !== undefined;
  }

  /** Whether it was cancelled before it had a result. */
  get cancelled(): boolean {
    return this.#outcome?.ok === false && this.#outcome.cancelled;
  }

  /**
   * The result. Blocks this thread until it is there, at most `timeoutMs` milliseconds (0: not at all).
   *
   * @throws whatever the task threw; {@link FutureTimeoutError} when the time is over (the future goes on);
   * {@link DeadlockError} when nobody could ever answer; {@link BlockingNotAllowedError} in a thread that serves others;
   * {@link WorkerCrashedError} and {@link TaskCancelledError} as the future's outcome.
   */
  result(timeoutMs?: number): T {
    const outcome = this.#wait(timeoutMs);
    if (outcome.ok) return outcome.value as T;
    throw outcome.thrown;
  }

  /** The error, or `null` if it succeeded. Blocks and throws as {@link result} does. A thrown non-error is wrapped, as `cause`. */
  exception(timeoutMs?: number): Error | null {
    const outcome = this.#wait(timeoutMs);
    if (outcome.ok) return null;
    return outcome.thrown instanceof Error
      ? outcome.thrown
      : new Error(`The task threw something that is not an Error: ${String(outcome.thrown)}`, {
          cause: outcome.thrown,
        });
  }

  /** Gives it its result. `false`, and nothing changed, if it already has an outcome. */
  setResult(value: T): boolean {
    return this.#settle({ ok: true, value });
  }

  /** Lets it fail. `false`, and nothing changed, if it already has an outcome. */
  setException(error: Error): boolean {
    return this.#settle({ ok: false, thrown: error, cancelled: false });
  }

  /** Cancels it: whoever waits gets a {@link TaskCancelledError}. `false` if it already has an outcome. */
  cancel(reason?: unknown): boolean {
    return this.#settle({ ok: false, thrown: new TaskCancelledError(undefined, reason), cancelled: true });
  }

  /** Calls `fn` with this future once it is done, in this thread, in a microtask; errors thrown by `fn` are logged. */
  addDoneCallback(fn: (future: this) => void): void {
    if (typeof fn !== "function") throw new TypeError(`addDoneCallback: expected a function, got ${String(fn)}.`);
    this.#look();
    this.#whenSettled(fn as (future: SyncFuture<unknown>) => void);
  }

  // biome-ignore lint/suspicious/noThenProperty: a future is awaitable by contract.
  then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#look();
    return this.#asPromise().then(onFulfilled, onRejected);
  }

  catch<B = never>(onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<T | B> {
    return this.then(undefined, onRejected);
  }

  finally(onFinally?: (() => void) | null): Promise<T> {
    this.#look();
    return this.#asPromise().finally(onFinally);
  }

  /** Whom a wait for this future depends on; subclasses know more. `undefined`: on code of this very thread. */
  protected waitTarget(): WaitTarget | undefined {
    return this.#shared === undefined
      ? undefined
      : { on: "future", id: this.#shared.id, label: `a SyncFuture (${this.#shared.id})` };
  }

  /** Whether another thread is to answer. */
  protected isAnswered(): boolean {
    return this.#shared !== undefined;
  }

  /** Called before blocking: the way for a subclass to end the wait at once, or to throw a DeadlockError. */
  protected beforeBlocking(): void {
    if (this.#onOwnLoop) {
      throw new DeadlockError([
        `thread "${threadLabel()}" waits for a promise of its own event loop, which stands still while it waits`,
      ]);
    }
  }

  /** Called once, whoever has settled it: another thread may have. */
  protected onSettled(): void {}

  /** Called at the first `await`. */
  protected onAwaited(): void {
    this.#shared?.keepAliveUntilSettled();
    if (currentTaskId() === undefined) return; // only tasks are told of: a circle may lead through one
    const target = this.waitTarget();
    if (target !== undefined) reportIfLong(this, target, (fn) => this.#whenSettled(fn));
  }

  #asPromise(): Promise<T> {
    if (this.#promise === undefined) {
      this.#promise = new Promise<unknown>((resolve, reject) => {
        this.#resolve = resolve;
        this.#reject = reject;
      });
      if (this.#outcome === undefined) this.onAwaited();
      else this.#settlePromise(this.#outcome);
    }
    return this.#promise as Promise<T>;
  }

  #wait(timeoutMs: number | undefined): Outcome<unknown> {
    if (timeoutMs !== undefined && (typeof timeoutMs !== "number" || Number.isNaN(timeoutMs) || timeoutMs < 0)) {
      throw new RangeError(`timeoutMs: expected a number of milliseconds >= 0 or nothing, got ${String(timeoutMs)}.`);
    }
    this.#look();
    if (this.#outcome !== undefined) return this.#outcome;
    if (timeoutMs === Number.POSITIVE_INFINITY) return this.#wait(undefined); // no deadline: a deadlock is looked for
    if (timeoutMs === 0) throw new FutureTimeoutError(0);
    const forbidden = blockingForbidden();
    if (forbidden !== undefined) throw new BlockingNotAllowedError(threadLabel(), forbidden);
    this.beforeBlocking();
    const isAnswered = this.isAnswered();
    if (!isAnswered && timeoutMs === undefined) {
      throw new DeadlockError(
        [`thread "${threadLabel()}" waits for a SyncFuture that no other thread has, so nobody is left to settle it`],
        "Pass the future to the task that settles it before waiting, or await it.",
      );
    }
    const wait = new OutcomeWait(this, isAnswered, timeoutMs);
    blockUntil(wait);
    const { deadlock } = wait;
    wait.end();
    if (this.#outcome !== undefined) return this.#outcome;
    if (deadlock !== undefined) throw new DeadlockError(deadlock);
    throw new FutureTimeoutError(timeoutMs as number);
  }

  #settle(outcome: Outcome<unknown>): boolean {
    if (this.#outcome !== undefined) return false;
    if (this.#shared !== undefined && !this.#shared.claim(outcome)) return false;
    this.#outcome = outcome;
    this.onSettled();
    this.#settlePromise(outcome);
    const callbacks = this.#callbacks;
    this.#callbacks = undefined;
    for (const fn of callbacks ?? []) this.#callBack(fn);
    if (outcome.ok || outcome.cancelled || this.#observed) return true;
    setImmediate(() => {
      const report = (): void => this.#reportUnobserved(outcome.thrown);
      if (this.#shared === undefined) report();
      else this.#shared.unlessLookedAt(report); // it may have been given away since
    });
    return true;
  }

  /** Somebody wants to know how it comes out. */
  #look(): void {
    this.#observed = true;
    this.#shared?.looked();
  }

  /** Nobody looked at the failure for a turn of the event loop: it is logged, so that it is not lost. */
  #reportUnobserved(thrown: unknown): void {
    if (this.#observed) return;
    this.#observed = true;
    this.logFailure(thrown);
  }

  protected logFailure(thrown: unknown): void {
    logger().warn(
      { err: thrown, thread: threadLabel() },
      "a future failed and nobody awaited it, blocked on it or handled it",
    );
  }

  #settlePromise(outcome: Outcome<unknown>): void {
    if (outcome.ok) this.#resolve?.(outcome.value);
    else this.#reject?.(outcome.thrown);
  }

  #whenSettled(fn: (future: SyncFuture<unknown>) => void): void {
    if (this.#outcome !== undefined) this.#callBack(fn);
    else {
      this.#callbacks ??= [];
      this.#callbacks.push(fn);
    }
  }

  #callBack(fn: (future: SyncFuture<unknown>) => void): void {
    const failed = (error: unknown): void =>
      logger().error({ err: error, thread: threadLabel() }, "a done callback of a future threw");
    void settled.then(() => {
      try {
        const returned: unknown = fn(this);
        if (returned instanceof Promise) returned.catch(failed);
      } catch (error) {
        failed(error);
      }
    });
  }
}

const example = new SyncFuture<unknown>();
example.setResult(undefined);
keepShape(example, new OutcomeWait(example, true, undefined), {
  ok: true,
  value: undefined,
} satisfies Outcome<unknown>);
