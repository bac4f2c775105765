import type { Transferable } from "node:worker_threads";
import {
  DeadlockError,
  SyncFuture,
  type Task,
  type TaskCall,
  TaskCancelledError,
  type TaskFuture,
  type ThreadInfo,
  WorkerCrashedError,
} from "@duck-ts/runtime";
import {
  awaited,
  captureContext,
  currentTaskId,
  currentThread,
  type EncodedTask,
  encodeError,
  encodeTask,
  futureInternals,
  logger,
  openTasks,
  runInTask,
  runWithContext,
  Submitter,
  TaskContext,
  taskFunction,
  threadFromLinks,
} from "@duck-ts/runtime/internal";
import * as board from "./board.ts";
import { copied } from "./copied.ts";
import { ManagerNotRunning, QueueFullError, UnknownTaskError } from "./errors.ts";
import { handles, Manager, NO_OPTIONS, silence } from "./manager.ts";
import { checkPoolStart, type PoolStartOptions, type SubmitOptions } from "./options.ts";
import { ownExecutor } from "./own-executor.ts";
import type { FromService, Introduction, ManagerId, PoolSettings, QueuedTask } from "./protocol.ts";
import { type ManagerInfo, registryOf } from "./registry.ts";
import { ask, cause, listenForWorkers, tell, type WorkerNews } from "./service-client.ts";
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

/** A worker that this thread may hand tasks to directly. */
type Connection = {
  readonly port: Submitter;
  readonly block: board.Words;
  readonly seat: number;
  /** Of the run of the pool that it belongs to. */
  readonly epoch: number;
  readonly thread: ThreadInfo;
};

/**
 * A pool of threads, each of which runs one task at a time, first come first served for all threads that submit.
 * Made by `getOrCreateThreadManager`.
 *
 * Duck's `ThreadPoolManager`.
 */
export class ThreadPoolManager extends Manager implements WorkerNews {
  /** By the worker's number. */
  readonly #connections = new Map<number, Connection>();
  #outbox: QueuedTask[] = [];
  /** Whether the end of this turn sends the outbox. A thread that only ever blocks comes to no end of a turn. */
  #flushesAtEnd = false;
  #listening = false;
  /** How many tasks this thread has put into the queue: known to the supervisor also if it dies before it says so. */
  readonly #queuedEver = new Int32Array(new SharedArrayBuffer(4));
  /** Tasks whose arguments were moved out of this thread. */
  readonly #moved = new WeakSet<TaskFuture<unknown>>();

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
    if (Atomics.add(this.head, board.OUTSTANDING, 1) >= capacity) {
      Atomics.sub(this.head, board.OUTSTANDING, 1);
      Atomics.add(this.head, board.REJECTED, 1);
      throw new QueueFullError(this.label, settings.maxQueue);
    }
    const future = this.future(checked, options, this.submitTask);
    const encoded = future.done ? undefined : this.encode(future, options);
    if (encoded === undefined) {
      this.#uncount();
      return future as TaskFuture<R>;
    }
    if (!this.#giveDirectly(future, encoded, settings, options)) this.#queue(future, encoded, options);
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

  /** @internal A worker can be reached directly from now on. */
  connected({ worker, port, answers, block, seat, links }: Extract<FromService, { op: "connect" }>): void {
    const thread = threadFromLinks(links);
    const submitter = new Submitter(port, answers, (future) => {
      if (future.carrier === submitter) submitter.claims.close(future.carriedAs);
      future.assign(thread);
    });
    const epoch = Atomics.load(this.head, board.EPOCH);
    this.#connections.set(worker, { port: submitter, block, seat, epoch, thread });
  }

  /** @internal */
  up(): void {
    // A pool's workers are connected one by one.
  }

  /** @internal A worker has ended: what it had begun is lost, what it had not begun goes to another. */
  gone(event: Extract<FromService, { op: "gone" }>): void {
    const connection = this.#connections.get(event.worker);
    if (connection === undefined) return;
    const { port, thread, epoch } = connection;
    const isOver = epoch !== Atomics.load(this.head, board.EPOCH);
    port.drain(); // what it answered before it ended counts
    port.close();
    this.#connections.delete(event.worker);
    const back: TaskFuture<unknown>[] = [];
    for (const future of openTasks()) {
      if (future.carrier !== port) continue;
      const begun = !port.claims.withdraw(future.carriedAs);
      if (!begun && !isOver && !this.#moved.has(future)) {
        back.push(future);
        continue;
      }
      if (!begun) this.#uncount();
      if (isOver && !begun) {
        future.fail(new TaskCancelledError("The task was cancelled: its pool was stopped before it began."));
        continue;
      }
      future.assign(thread);
      const { reason, exitCode, message } = event.exit;
      future.fail(new WorkerCrashedError(thread.name, reason, exitCode, cause(message)));
    }
    this.flush();
    // Where its run is over nobody waits for them, and the next run must not take this for what it waits for.
    if (!isOver) this.#again(back);
  }

  /** @internal The queue is cancelled, and with it what this thread has sent ahead. */
  withdraw({ worker, why }: Extract<FromService, { op: "withdraw" }>): void {
    const connection = this.#connections.get(worker);
    if (connection === undefined) return;
    for (const future of openTasks()) {
      if (!this.#withdrawn(connection, future)) continue;
      Atomics.add(connection.block, board.REFUSED, 1);
      future.fail(new TaskCancelledError(`The task was cancelled: ${why}.`));
    }
  }

  /** @internal */
  isGone(): boolean {
    return Atomics.load(this.head, board.STATE) === board.GONE;
  }

  protected override wrongType(given: string | undefined, expected: string): Error {
    return new UnknownTaskError(given, expected);
  }

  protected override cancelled(future: TaskFuture<unknown>, reason: unknown): void {
    const { callId } = future;
    for (const connection of this.#connections.values()) {
      if (this.#withdrawn(connection, future)) return;
      const { port } = connection;
      if (future.carrier !== port) continue;
      port.claims.close(future.carriedAs); // its answer finds nobody
      port.cancel(callId, reason);
    }
    this.flush();
    tell({
      op: "cancel",
      key: this.key,
      callId,
      reason: reason === undefined ? undefined : encodeError(reason),
    });
  }

  protected override beforeBlocking(future: TaskFuture<unknown>): void {
    this.flush();
    if (ownExecutor().key === this.key) this.#runHere(future);
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

  protected override flush(): void {
    for (const { port } of this.#connections.values()) port.flush();
    if (this.#outbox.length === 0) return;
    const tasks = this.#outbox;
    this.#outbox = [];
    // Counted when they leave: a thread that ends before that must not leave a count behind that nobody takes back.
    Atomics.add(this.head, board.QUEUED, tasks.length);
    tell({ op: "submit", key: this.key, tasks });
  }

  #flushAtEnd(): void {
    if (this.#flushesAtEnd) return;
    this.#flushesAtEnd = true;
    queueMicrotask(() => {
      this.#flushesAtEnd = false;
      this.flush();
    });
  }

  #encodeInit(call: TaskCall<void>): PoolSettings["workerInit"] {
    const future = { callId: 0, call: call as TaskCall<unknown> } as TaskFuture<unknown>;
    return encodeTask(future, undefined).message;
  }

  /**
   * A free worker that this thread knows takes the task without a detour, if nobody waits before it. So does the one
   * worker of a pool, one after the other, while all its tasks are this thread's: nobody is overtaken, and each can be
   * taken back until it begins. (Not from where tasks run: the supervisor must see what a task may come to wait for.)
   */
  #giveDirectly(
    future: TaskFuture<unknown>,
    encoded: EncodedTask,
    settings: PoolSettings,
    options: SubmitOptions,
  ): boolean {
    if (options.timeoutMs !== undefined || this.#outbox.length > 0 || Atomics.load(this.head, board.QUEUED) > 0)
      return false;
    const mayWait = settings.maxWorkers === 1 && encoded.transfer.length === 0 && maySendAhead();
    for (const connection of this.#connections.values()) {
      const { block, seat } = connection;
      const isFree = board.takePlace(block, seat);
      if (!isFree && !(mayWait && board.joinPlace(block, seat, encoded.isSmall ? MANY : FEW))) continue;
      this.#sendTo(connection, future, encoded, isFree);
      return true;
    }
    return false;
  }

  #sendTo(
    { port, block, thread }: Connection,
    future: TaskFuture<unknown>,
    encoded: EncodedTask,
    beginsAtOnce: boolean,
  ): void {
    const order = port.claims.take();
    future.carrier = port;
    future.carriedAs = order;
    if (encoded.transfer.length > 0) this.#moved.add(future);
    future.assign(thread);
    try {
      // If its worker ends before it begins it is sent again, as it is now.
      if (!encoded.copied) future.sent = beginsAtOnce ? encoded : encoded.snapshot();
      port.send(encoded, order);
    } catch (error) {
      port.claims.close(order);
      this.failToSend(future, encoded, error);
      board.leavePlace(block);
      board.vacatePlace(block);
      this.#uncount();
      tell({ op: "poke", key: this.key }); // somebody may have queued a task while we held the place
    }
  }

  /** Takes back a task that was sent to that worker and has not begun: the worker passes over it. */
  #withdrawn({ port, block }: Connection, future: TaskFuture<unknown>): boolean {
    if (future.carrier !== port || !port.claims.withdraw(future.carriedAs)) return false;
    port.claims.close(future.carriedAs);
    board.leavePlace(block);
    // The worker may have passed over it between those two steps: it found its place taken and went to sleep, and has to
    // look once more. Where it still runs something it does so anyway, and sets RUN_STATE first: so one of us sees it.
    const isIdle = Atomics.load(block, board.RUN_STATE) === board.RUN_NONE;
    if (isIdle && !board.hasDirect(block)) port.cancel(future.callId, undefined);
    Atomics.add(this.head, board.CANCELLED, 1);
    this.#uncount();
    return true;
  }

  #queue(future: TaskFuture<unknown>, encoded: EncodedTask, options: SubmitOptions): void {
    if (!this.#listening) {
      this.#listening = true;
      listenForWorkers(this.key, this);
      tell({ op: "account", key: this.key, words: this.#queuedEver });
    }
    Atomics.add(this.#queuedEver, 0, 1);
    const task: QueuedTask = {
      message: encoded.message,
      timeoutMs: options.timeoutMs,
      moved: encoded.transfer.length > 0,
    };
    if (task.moved) this.#moved.add(future);
    if (encoded.copied) {
      this.#outbox.push(task);
      this.#flushAtEnd();
      return;
    }
    this.flush();
    Atomics.add(this.head, board.QUEUED, 1);
    try {
      tell({ op: "submit", key: this.key, tasks: [task] }, encoded.transfer);
    } catch (error) {
      Atomics.sub(this.head, board.QUEUED, 1);
      Atomics.sub(this.#queuedEver, 0, 1);
      this.failToSend(future, encoded, error);
      this.#uncount();
    }
  }

  /** Tasks whose worker ended before they began: to the front of the queue. The supervisor waits for them, if there are any. */
  #again(back: readonly TaskFuture<unknown>[]): void {
    const tasks: QueuedTask[] = [];
    const transfer: Transferable[] = [];
    for (const future of back) {
      const encoded = this.encodeAgain(future);
      if (encoded === undefined) this.#uncount();
      else {
        tasks.push({ message: encoded.message, timeoutMs: undefined, moved: encoded.transfer.length > 0 });
        transfer.push(...encoded.transfer);
      }
    }
    Atomics.add(this.#queuedEver, 0, tasks.length);
    Atomics.add(this.head, board.QUEUED, tasks.length);
    try {
      tell({ op: "submit", key: this.key, tasks, again: true }, transfer);
    } catch {
      // What one of them was given has changed since, and cannot be cloned any more: each for itself.
      Atomics.sub(this.#queuedEver, 0, tasks.length);
      Atomics.sub(this.head, board.QUEUED, tasks.length);
      for (const future of back) {
        const encoded = this.encodeAgain(future);
        if (encoded !== undefined) this.#queue(future, encoded, {});
      }
      this.flush();
      tell({ op: "submit", key: this.key, tasks: [], again: true });
    }
  }

  /**
   * This thread, a worker of this very pool, is about to stand still for a task of the pool. If that task has not begun
   * it runs here and now: so a pool never waits for itself. An asynchronous task cannot: it needs the event loop.
   */
  #runHere(future: TaskFuture<unknown>): void {
    const fn = taskFunction(future.call.task);
    if (fn.constructor.name === "AsyncFunction" || this.#moved.has(future)) return;
    if (!ask<boolean>({ op: "reclaim", key: this.key, callId: future.callId })) return;
    future.assign(currentThread());
    let ok = true;
    let value: unknown;
    try {
      const args = copied(future.call.args, "args") as unknown[];
      const context = captureContext();
      const vars = context === undefined ? undefined : (copied(context, "context") as Record<string, unknown>);
      value = runWithContext(vars, () =>
        runInTask(new TaskContext(currentThread().id, future.callId), () => {
          const returned = fn(...args);
          // Another task's future can be stood still for as this one is.
          return returned instanceof SyncFuture ? returned.result() : awaited(returned);
        }),
      );
      if (!(value instanceof Promise)) value = copied(value, "result");
    } catch (thrown) {
      ok = false;
      value = thrown;
    }
    Atomics.add(this.head, ok ? board.COMPLETED : board.FAILED, 1);
    this.#uncount();
    if (ok && value instanceof Promise) {
      value.then(
        (result) => future.setResult(result),
        (thrown: unknown) => futureInternals.settle(future, { ok: false, thrown, cancelled: false }),
      );
      throw new DeadlockError([
        `thread "${currentThread().name}" waits for a promise of its own event loop: task ${future.call.task.id} ran there, since its pool had no other thread free`,
      ]);
    }
    if (ok) future.setResult(value);
    else future.failWith(value);
  }

  #uncount(): void {
    if (Atomics.sub(this.head, board.OUTSTANDING, 1) === 1 && !this.isRunning()) tell({ op: "poke", key: this.key });
  }
}

// The build has to rename a class that speaks of itself.
Object.defineProperty(ThreadPoolManager, "name", { value: "ThreadPoolManager" });

/** So many tasks are sent ahead at most: of those whose arguments are small, and of others, which fill the worker's heap. */
const MANY = 2 ** 18;
const FEW = 32;

/** Whether no task that runs in this thread can come to wait for what is submitted here now. */
function maySendAhead(): boolean {
  const { kind } = currentThread();
  return (kind === "main" || kind === "request") && currentTaskId() === undefined;
}
