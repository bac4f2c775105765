import { inspect } from "node:util";
import type { Task, TaskCall, TaskFuture } from "@duck-ts/runtime";
import { registerSpecialKind, threadWide } from "@duck-ts/runtime/internal";
import * as board from "../board.ts";
import { ManagerNotRunning } from "../errors.ts";
import type { StopOptions, SubmitOptions } from "../options.ts";
import type { StopReport } from "../protocol.ts";
import { createManager, forgetManager } from "../resolver.ts";
import type { ThreadPoolManager } from "../thread-pool-manager.ts";
import { defaultPoolSize } from "./current-pool.ts";
import type { TaskExecutor } from "./executor.ts";

/** What an executor has done since it was made. */
export interface ExecutorStatistics {
  /** Threads there are now. */
  readonly threads: number;
  readonly submitted: number;
  /** Tasks that have ended, in whatever way: `success + error`. */
  readonly done: number;
  readonly success: number;
  /** Tasks that threw, were cancelled, or lost their thread. */
  readonly error: number;
  /** How long tasks ran, all together, in milliseconds. */
  readonly sumTimeMs: number;
}

/**
 * A pool of threads of one's own, for `.with({ executor })` and `IteratorWrapper`, or to submit to directly. It is a
 * `ThreadPoolManager` that is found by nobody else: for one that child threads inherit use `getOrCreateThreadManager`.
 *
 * aiomisc's `ThreadPoolExecutor`.
 *
 * @throws TypeError, RangeError for a pool size that is no whole number from 1 to 1024.
 */
export class ThreadPoolExecutor implements TaskExecutor {
  readonly #pool: ThreadPoolManager;
  readonly #words: board.Words;
  #submitted = 0;
  #shutDown = false;

  /** @param poolSize the most threads; default: `DUCK_POOL_SIZE`, else `min(max(cores, 4), 32)`. They start when needed. */
  constructor(poolSize: number = defaultPoolSize()) {
    const counter = threadWide("toolkit-executors", () => ({ next: 0 }));
    counter.next += 1;
    const id = `executor-${counter.next}`;
    this.#pool = createManager("thread", id) as ThreadPoolManager;
    this.#words = this.#pool.counters;
    try {
      this.#pool.start({ maxWorkers: poolSize, threadNamePrefix: `duck:${id}` });
    } catch (error) {
      forgetManager(this.#pool);
      throw error;
    }
  }

  /** The pool behind it. */
  get manager(): ThreadPoolManager {
    return this.#pool;
  }

  /** Never blocks. `sumTimeMs` is accurate to the tasks that have ended. */
  get statistics(): ExecutorStatistics {
    const load = (word: number): number => Atomics.load(this.#words, word);
    const success = load(board.COMPLETED);
    const error = load(board.FAILED) + load(board.CANCELLED);
    return {
      threads: load(board.WORKERS),
      submitted: this.#submitted,
      done: success + error,
      success,
      error,
      sumTimeMs: board.sumTimeMs(this.#words),
    };
  }

  /**
   * Runs a task in one of the threads. Never blocks.
   *
   * @throws ManagerNotRunning after `shutdown()`; NotATaskError for what is no task.
   */
  submit<R>(call: TaskCall<R> | Task<[], R>, options?: SubmitOptions): TaskFuture<R> {
    // In its own words: the pool's advice is to start it again, which an executor cannot be.
    if (this.#shutDown) throw new ManagerNotRunning(String(this), "it was shut down. Make a new ThreadPoolExecutor");
    const future = this.#pool.submitTask(call, options);
    this.#submitted += 1;
    return future;
  }

  /** As {@link submit}, by the managers' name. */
  submitTask<R>(call: TaskCall<R> | Task<[], R>, options?: SubmitOptions): TaskFuture<R> {
    return this.submit(call, options);
  }

  /**
   * Accepts no more tasks, and ends the threads: with `wait` (the default) once everything is done, without it once what
   * runs is done; what is left after `timeoutMs` is terminated. No future stays pending. Calling it again is no error.
   */
  async shutdown(options?: StopOptions): Promise<StopReport> {
    this.#shutDown = true;
    const report = await this.#pool.stop(options);
    forgetManager(this.#pool);
    return report;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }

  toString(): string {
    return `<ThreadPoolExecutor ${this.#pool.state} ${inspect(this.statistics, { breakLength: Number.POSITIVE_INFINITY })}>`;
  }
}

Object.defineProperty(ThreadPoolExecutor.prototype, inspect.custom, {
  value(this: ThreadPoolExecutor): string {
    return this.toString();
  },
});

registerSpecialKind({
  tag: "executor",
  is: (value) => value instanceof ThreadPoolExecutor,
  encode: () => undefined,
  decode: () => undefined,
  refuses: () => ({
    found: "a ThreadPoolExecutor",
    advice:
      "It is its thread's own. Pass its manager (executor.manager), or look up a pool that threads share with getOrCreateThreadManager(id).",
  }),
});
