import type { Task, TaskCall, TaskFuture } from "@duck-ts/runtime";
import { captureContext, encodeTask, logger } from "@duck-ts/runtime/internal";
import * as board from "./board.ts";
import { ManagerNotRunning, QueueFullError, UnknownTaskError } from "./errors.ts";
import { handles, Manager, NO_OPTIONS, silence } from "./manager.ts";
import { checkPoolStart, type PoolStartOptions, type SubmitOptions } from "./options.ts";
import { ownExecutor } from "./own-executor.ts";
import { PoolSender } from "./pool-sender.ts";
import type { FromService, Introduction, ManagerId, PoolSettings } from "./protocol.ts";
import { type ManagerInfo, registryOf } from "./registry.ts";
import { runHere } from "./run-here.ts";
import type { WorkerNews } from "./service-client.ts";
import { type PoolStats, poolStats } from "./stats.ts";

/** A running pool, to look at. It offers no way round the guard. */
export interface PoolHandle {
  /** Threads there are now. */
  readonly workers: number;
  /** Tasks that wait for a thread. */
  readonly queued: number;
  /** Tasks that run. */
  readonly active: number;
}

/**
 * A pool of threads, each of which runs one task at a time, first come first served for all threads that submit.
 * Made by `getOrCreateThreadManager`.
 *
 * Duck's `ThreadPoolManager`.
 */
export class ThreadPoolManager extends Manager implements WorkerNews {
  readonly #sender: PoolSender = new PoolSender({
    key: this.key,
    head: this.head,
    news: this,
    isRunning: () => this.isRunning(),
    encodeAgain: (future) => this.encodeAgain(future),
    failToSend: (future, encoded, error) => this.failToSend(future, encoded, error),
  });

  /** @internal */
  static make(intro: Introduction): ThreadPoolManager {
    return new ThreadPoolManager(intro);
  }

  /** Every pool manager that this thread has made or inherited and that is still there. */
  static allInstances(): ThreadPoolManager[] {
    return [...handles().values()].filter(
      (manager) => manager instanceof ThreadPoolManager && !manager.isGone(),
    ) as ThreadPoolManager[];
  }

  /** Thread id -> manager id -> what is known of it, for this thread and its ancestors. */
  static registry(): ReadonlyMap<number, ReadonlyMap<ManagerId | undefined, ManagerInfo>> {
    return registryOf("thread");
  }

  /**
   * Opens the pool. Returns at once; threads are started when tasks come (`minWorkers` of them now), and tasks may be
   * submitted at once.
   *
   * @throws ManagerAlreadyRunning if it runs; nothing is changed then.
   * @throws TypeError, RangeError for bad options, before anything changes.
   */
  start(options: PoolStartOptions): this {
    checkPoolStart(options);
    const workerInit = options.workerInit === undefined ? undefined : this.#encodeInit(options.workerInit);
    this.startWith((epoch) => ({
      epoch,
      taskType: options.taskType ?? null,
      daemon: options.daemon ?? false,
      threadName: options.threadNamePrefix ?? `duck:pool${this.id === undefined ? "" : `-${this.id}`}`,
      resourceLimits: options.resourceLimits,
      abortGraceMs: options.abortGraceMs ?? 500,
      pool: {
        maxWorkers: options.maxWorkers,
        minWorkers: options.minWorkers ?? 0,
        maxQueue: options.maxQueue ?? Number.POSITIVE_INFINITY,
        idleTimeoutMs: options.idleTimeoutMs ?? Number.POSITIVE_INFINITY,
        memoryLimitMb: options.memoryLimitMb ?? Number.POSITIVE_INFINITY,
        workerInit,
        hosted: false,
      },
    }));
    return this;
  }

  /**
   * Runs a task in one of the threads. Await the future, or block on its `result()`.
   *
   * @throws ManagerNotRunning, UnknownTaskError, QueueFullError in this order; NotATaskError for what is no task.
   */
  submitTask<R>(call: TaskCall<R> | Task<[], R>, options: SubmitOptions = NO_OPTIONS): TaskFuture<R> {
    const checked = this.checkSubmission(call, options);
    const settings = this.started().pool as PoolSettings;
    const capacity = settings.maxWorkers + settings.maxQueue;
    if (!this.#takeRoom(capacity) && !(this.#sender.awaitCancels() && this.#takeRoom(capacity))) {
      Atomics.add(this.head, board.REJECTED, 1);
      throw new QueueFullError(this.label, settings.maxQueue);
    }
    const future = this.future(checked, options, this.submitTask);
    const encoded = future.done ? undefined : this.encode(future, options);
    if (encoded === undefined) {
      this.#sender.uncount();
      return future as TaskFuture<R>;
    }
    this.#sender.send(future, encoded, settings, options);
    return future as TaskFuture<R>;
  }

  /**
   * A look at the running pool.
   *
   * @throws ManagerNotRunning
   */
  getPool(): PoolHandle {
    if (!this.isRunning()) throw new ManagerNotRunning(this.label, this.whyNot());
    const { head } = this;
    return {
      get workers() {
        return Atomics.load(head, board.WORKERS);
      },
      get queued() {
        return board.queued(head);
      },
      get active() {
        return Atomics.load(head, board.OUTSTANDING) - board.queued(head);
      },
    };
  }

  async stats(): Promise<PoolStats> {
    return poolStats(this.head, this.key);
  }

  /** @internal Opens the pool as one whose workers this thread makes and serves itself. */
  startHosted(taskType: string, maxWorkers: number, threadName: string): board.Words {
    const pool: PoolSettings = {
      maxWorkers,
      minWorkers: 0,
      maxQueue: Number.POSITIVE_INFINITY,
      idleTimeoutMs: Number.POSITIVE_INFINITY,
      memoryLimitMb: Number.POSITIVE_INFINITY,
      workerInit: undefined,
      hosted: true,
    };
    this.startWith((epoch) => ({ epoch, taskType, daemon: true, threadName, abortGraceMs: 500, pool }));
    return this.head;
  }

  /** @internal */
  connected(event: Extract<FromService, { op: "connect" }>): void {
    this.#sender.connected(event);
  }

  /** @internal */
  gone(event: Extract<FromService, { op: "gone" }>): void {
    this.#sender.gone(event);
  }

  /** @internal */
  withdraw(event: Extract<FromService, { op: "withdraw" }>): void {
    this.#sender.withdraw(event);
  }

  /** @internal */
  up(): void {
    // A pool's workers are connected one by one.
  }

  /** @internal */
  isGone(): boolean {
    return Atomics.load(this.head, board.STATE) === board.GONE;
  }

  protected override wrongType(given: string | undefined, expected: string): Error {
    return new UnknownTaskError(given, expected);
  }

  protected override cancelled(future: TaskFuture<unknown>, reason: unknown): void {
    this.#sender.cancel(future, reason);
  }

  protected override beforeBlocking(future: TaskFuture<unknown>): void {
    if (ownExecutor().key !== this.key || this.#sender.wasMoved(future)) return;
    this.flush();
    runHere(future, this.key, (ok) => {
      Atomics.add(this.head, ok ? board.COMPLETED : board.FAILED, 1);
      this.#sender.uncount();
    });
  }

  protected override flush(): void {
    this.#sender.flush();
  }

  protected override failureLogger(log: boolean): (future: TaskFuture<unknown>, thrown: unknown) => void {
    if (!log) return silence;
    // Read now, at the submission: nobody's request is current when the answer comes in. The server sets it.
    const requestId = captureContext()?.["duck.requestId"];
    return requestId === undefined ? this.#logFailure : (future, thrown) => this.#logFailure(future, thrown, requestId);
  }

  readonly #logFailure = (future: TaskFuture<unknown>, thrown: unknown, requestId?: unknown): void => {
    logger().warn(
      {
        err: thrown,
        task: future.taskId,
        taskName: future.call.task.id,
        manager: this.id ?? null,
        thread: future.worker?.name,
        requestId,
      },
      `a task of ${this.label} failed`,
    );
  };

  #takeRoom(capacity: number): boolean {
    if (Atomics.add(this.head, board.OUTSTANDING, 1) < capacity) return true;
    Atomics.sub(this.head, board.OUTSTANDING, 1);
    return false;
  }

  #encodeInit(call: TaskCall<void>): PoolSettings["workerInit"] {
    const future = { callId: 0, call: call as TaskCall<unknown>, submittedAt: Date.now() } as TaskFuture<unknown>;
    return encodeTask(future, undefined).message;
  }
}

// The build has to rename a class that speaks of itself.
Object.defineProperty(ThreadPoolManager, "name", { value: "ThreadPoolManager" });
