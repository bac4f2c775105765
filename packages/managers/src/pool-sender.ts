/** A thread's way to the workers of a pool: straight to one that it knows to be free, else through the supervisor's queue. */
import type { Transferable } from "node:worker_threads";
import { TaskCancelledError, type TaskFuture, type ThreadInfo, WorkerCrashedError } from "@duck-ts/runtime";
import {
  currentTaskId,
  currentThread,
  type EncodedTask,
  encodeError,
  openTasks,
  Submitter,
  threadFromLinks,
} from "@duck-ts/runtime/internal";
import * as board from "./board.ts";
import type { SubmitOptions } from "./options.ts";
import type { FromService, PoolSettings, QueuedTask } from "./protocol.ts";
import { ask, cause, droppedFor, listenForWorkers, tell, type WorkerNews } from "./service-client.ts";

/** A worker that this thread may hand tasks to directly. */
type Connection = {
  readonly port: Submitter;
  readonly block: board.Words;
  readonly seat: number;
  /** Of the run of the pool that it belongs to. */
  readonly epoch: number;
  readonly thread: ThreadInfo;
};

/** The manager, as far as it concerns sending. */
export type SenderHome = {
  readonly key: string;
  readonly head: board.Words;
  /** Who hears of the pool's workers, and passes that on. */
  readonly news: WorkerNews;
  isRunning(): boolean;
  /** The message of a task that is sent once more; `undefined`: it failed instead. */
  encodeAgain(future: TaskFuture<unknown>): EncodedTask | undefined;
  failToSend(future: TaskFuture<unknown>, encoded: EncodedTask, error: unknown): void;
};

export class PoolSender {
  readonly #home: SenderHome;
  /** By the worker's number. */
  readonly #connections = new Map<number, Connection>();
  #outbox: QueuedTask[] = [];
  /** Whether the end of this turn sends the outbox. A thread that only ever blocks comes to no end of a turn. */
  #flushesAtEnd = false;
  #listening = false;
  /** How many tasks this thread has put into the queue: known to the supervisor also if it dies before it says so. */
  readonly #queuedEver = new Int32Array(new SharedArrayBuffer(4));
  /** Whether the supervisor was told to drop something, and may not have done so yet. */
  #hasToldOfCancels = false;
  /** Tasks whose arguments were moved out of this thread. */
  readonly #moved = new WeakSet<TaskFuture<unknown>>();

  constructor(home: SenderHome) {
    this.#home = home;
  }

  send(future: TaskFuture<unknown>, encoded: EncodedTask, settings: PoolSettings, options: SubmitOptions): void {
    if (!this.#giveDirectly(future, encoded, settings, options)) this.#queue(future, encoded, options);
  }

  /** Whether its arguments are no longer here. */
  wasMoved(future: TaskFuture<unknown>): boolean {
    return this.#moved.has(future);
  }

  /** A worker can be reached directly from now on. */
  connected({ worker, port, answers, block, seat, links }: Extract<FromService, { op: "connect" }>): void {
    const thread = threadFromLinks(links);
    const submitter = new Submitter(port, answers, (future) => {
      if (future.carrier === submitter) submitter.claims.close(future.carriedAs);
      future.assign(thread);
    });
    const epoch = Atomics.load(this.#home.head, board.EPOCH);
    this.#connections.set(worker, { port: submitter, block, seat, epoch, thread });
  }

  /** A worker has ended: what it had begun is lost, what it had not begun goes to another. */
  gone(event: Extract<FromService, { op: "gone" }>): void {
    const connection = this.#connections.get(event.worker);
    if (connection === undefined) return;
    const { port, thread, epoch } = connection;
    const isOver = epoch !== Atomics.load(this.#home.head, board.EPOCH);
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
      if (!begun) this.uncount();
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

  /** The queue is cancelled, and with it what this thread has sent ahead. */
  withdraw({ worker, ...why }: Extract<FromService, { op: "withdraw" }>): void {
    const connection = this.#connections.get(worker);
    if (connection === undefined) return;
    for (const future of openTasks()) {
      if (!this.#withdrawn(connection, future, board.leaveRefused)) continue;
      future.fail(droppedFor(why));
    }
  }

  /** Its future is cancelled: where it is a worker's it is taken back or told, else the supervisor drops it. */
  cancel(future: TaskFuture<unknown>, reason: unknown): void {
    const { callId } = future;
    for (const connection of this.#connections.values()) {
      if (this.#withdrawn(connection, future, board.leavePlace)) return;
      const { port } = connection;
      if (future.carrier !== port) continue;
      port.claims.close(future.carriedAs); // its answer finds nobody
      port.cancel(callId, reason);
    }
    this.flush();
    this.#hasToldOfCancels = true;
    tell({
      op: "cancel",
      key: this.#home.key,
      callId,
      reason: reason === undefined ? undefined : encodeError(reason),
    });
  }

  /**
   * Waits until what this thread has cancelled has given its place back, which takes one round trip to the supervisor.
   * `false`: no place is on its way.
   */
  awaitCancels(): boolean {
    if (!this.#hasToldOfCancels) return false;
    this.#hasToldOfCancels = false;
    ask({ op: "describe", key: this.#home.key });
    return true;
  }

  /** Sends what is held back for the end of the turn. */
  flush(): void {
    for (const { port } of this.#connections.values()) port.flush();
    if (this.#outbox.length === 0) return;
    const tasks = this.#outbox;
    this.#outbox = [];
    // Counted when they leave: a thread that ends before that must not leave a count behind that nobody takes back.
    Atomics.add(this.#home.head, board.QUEUED, tasks.length);
    tell({ op: "submit", key: this.#home.key, tasks });
  }

  #flushAtEnd(): void {
    if (this.#flushesAtEnd) return;
    this.#flushesAtEnd = true;
    queueMicrotask(() => {
      this.#flushesAtEnd = false;
      this.flush();
    });
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
    if (options.timeoutMs !== undefined || this.#outbox.length > 0 || Atomics.load(this.#home.head, board.QUEUED) > 0)
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
      this.#home.failToSend(future, encoded, error);
      board.leavePlace(block);
      board.vacatePlace(block);
      this.uncount();
      tell({ op: "poke", key: this.#home.key }); // somebody may have queued a task while we held the place
    }
  }

  /** Takes back a task that was sent to that worker and has not begun: the worker passes over it. */
  #withdrawn({ port, block }: Connection, future: TaskFuture<unknown>, leave: (block: board.Words) => void): boolean {
    if (future.carrier !== port || !port.claims.withdraw(future.carriedAs)) return false;
    port.claims.close(future.carriedAs);
    leave(block);
    // The worker may have passed over it between those two steps: it found its place taken and went to sleep, and has to
    // look once more. Where it still runs something it does so anyway, and sets RUN_STATE first: so one of us sees it.
    const isIdle = Atomics.load(block, board.RUN_STATE) === board.RUN_NONE;
    if (isIdle && !board.hasDirect(block)) port.cancel(future.callId, undefined);
    Atomics.add(this.#home.head, board.CANCELLED, 1);
    this.uncount();
    return true;
  }

  #queue(future: TaskFuture<unknown>, encoded: EncodedTask, options: SubmitOptions): void {
    if (!this.#listening) {
      this.#listening = true;
      listenForWorkers(this.#home.key, this.#home.news);
      tell({ op: "account", key: this.#home.key, words: this.#queuedEver });
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
    Atomics.add(this.#home.head, board.QUEUED, 1);
    try {
      tell({ op: "submit", key: this.#home.key, tasks: [task] }, encoded.transfer);
    } catch (error) {
      Atomics.sub(this.#home.head, board.QUEUED, 1);
      Atomics.sub(this.#queuedEver, 0, 1);
      this.#home.failToSend(future, encoded, error);
      this.uncount();
    }
  }

  /** Tasks whose worker ended before they began: to the front of the queue. The supervisor waits for them, if there are any. */
  #again(back: readonly TaskFuture<unknown>[]): void {
    const tasks: QueuedTask[] = [];
    const transfer: Transferable[] = [];
    for (const future of back) {
      const encoded = this.#home.encodeAgain(future);
      if (encoded === undefined) this.uncount();
      else {
        tasks.push({ message: encoded.message, timeoutMs: undefined, moved: encoded.transfer.length > 0 });
        transfer.push(...encoded.transfer);
      }
    }
    Atomics.add(this.#queuedEver, 0, tasks.length);
    Atomics.add(this.#home.head, board.QUEUED, tasks.length);
    try {
      tell({ op: "submit", key: this.#home.key, tasks, again: true }, transfer);
    } catch {
      // What one of them was given has changed since, and cannot be cloned any more: each for itself.
      Atomics.sub(this.#queuedEver, 0, tasks.length);
      Atomics.sub(this.#home.head, board.QUEUED, tasks.length);
      for (const future of back) {
        const encoded = this.#home.encodeAgain(future);
        if (encoded !== undefined) this.#queue(future, encoded, {});
      }
      this.flush();
      tell({ op: "submit", key: this.#home.key, tasks: [], again: true });
    }
  }

  /** A task has come to its end, or to none. */
  uncount(): void {
    if (Atomics.sub(this.#home.head, board.OUTSTANDING, 1) === 1 && !this.#home.isRunning())
      tell({ op: "poke", key: this.#home.key });
  }
}

/** So many tasks are sent ahead at most: of those whose arguments are small, and of others, which fill the worker's heap. */
const MANY = 2 ** 18;
const FEW = 32;

/** Whether no task that runs in this thread can come to wait for what is submitted here now. */
function maySendAhead(): boolean {
  const { kind } = currentThread();
  return (kind === "main" || kind === "request") && currentTaskId() === undefined;
}
