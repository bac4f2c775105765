import { MessageChannel } from "node:worker_threads";
import {
  type Task,
  type TaskCall,
  TaskCancelledError,
  type TaskFuture,
  type ThreadInfo,
  WorkerCrashedError,
} from "@duck-ts/runtime";
import {
  encodeError,
  line,
  newAnswerRing,
  openTasks,
  ownDoorbell,
  Submitter,
  threadFromLinks,
} from "@duck-ts/runtime/internal";
import * as board from "./board.ts";
import { ManagerNotRunning, UnknownAsyncTaskError } from "./errors.ts";
import { handles, Manager, NO_OPTIONS, refuseOwnLoop, silence } from "./manager.ts";
import { checkLoopStart, type LoopStartOptions, type SubmitOptions } from "./options.ts";
import type { FromService, Introduction, ManagerId } from "./protocol.ts";
import { type ManagerInfo, registryOf } from "./registry.ts";
import { ask, cause, listenForWorkers, tell, type WorkerNews } from "./service-client.ts";
import { type LoopStats, loopStats } from "./stats.ts";

/** A running loop, to look at. It offers no way round the guard. */
export interface LoopHandle {
  /** The loop's thread, once it is up; it answers from the first task on. */
  readonly thread: ThreadInfo | null;
  /** Tasks that wait or run. */
  readonly pending: number;
  /** The share of time that the loop was busy since its start, 0 to 1. Blocks for one round trip to the supervisor. */
  utilization(): number;
  /** How late the loop's timers run, in milliseconds; grows while a task blocks it. */
  lagMs(): number;
}

/**
 * One event loop in one background thread; its tasks run concurrently. Made by `getOrCreateLoopManager`.
 *
 * Duck's `AsyncioLoopManager`.
 */
export class LoopManager extends Manager implements WorkerNews {
  #submitter: Submitter | undefined;
  #thread: ThreadInfo | null = null;
  /** How many tasks went over the direct port, and what its three parties count. */
  #order = 0;
  #words = board.newPortWords();

  /** @internal */
  static make(intro: Introduction): LoopManager {
    return new LoopManager(intro);
  }

  /** Every loop manager that this thread has made or inherited and that is still there. */
  static allInstances(): LoopManager[] {
    return [...handles().values()].filter(
      (manager) => manager instanceof LoopManager && !manager.isGone(),
    ) as LoopManager[];
  }

  /** Thread id -> manager id -> what is known of it, for this thread and its ancestors. */
  static registry(): ReadonlyMap<number, ReadonlyMap<ManagerId | undefined, ManagerInfo>> {
    return registryOf("loop");
  }

  /**
   * Starts the loop in a thread of its own. Returns at once, without waiting for the thread, and tasks may be submitted
   * at once.
   *
   * @throws ManagerAlreadyRunning if it runs; nothing is changed then.
   * @throws TypeError, RangeError for bad options, before anything changes.
   */
  start(options: LoopStartOptions = {}): this {
    checkLoopStart(options);
    this.startWith((epoch) => ({
      epoch,
      taskType: options.taskType ?? null,
      daemon: options.daemon ?? false,
      threadName: options.threadName ?? `duck:loop${this.id === undefined ? "" : `-${this.id}`}`,
      resourceLimits: options.resourceLimits,
      abortGraceMs: options.abortGraceMs ?? 500,
    }));
    return this;
  }

  /**
   * Runs a task on the loop. Await the future, or block on its `result()`.
   *
   * @throws ManagerNotRunning, UnknownAsyncTaskError in this order; NotATaskError for what is no task.
   */
  submitTask<R>(call: TaskCall<R> | Task<[], R>, options: SubmitOptions = NO_OPTIONS): TaskFuture<R> {
    const checked = this.checkSubmission(call, options);
    const future = this.future(checked, options, this.submitTask);
    if (future.done) return future as TaskFuture<R>; // its signal was aborted already, or its time is over
    const encoded = this.encode(future, options);
    if (encoded === undefined) return future as TaskFuture<R>;
    Atomics.add(this.head, board.OUTSTANDING, 1);
    try {
      const port = this.#connect();
      if (port !== undefined) {
        port.send(encoded);
        this.#order += 1;
        this.#carry(future, encoded.transfer.length === 0 ? this.#order : -1);
        if (!encoded.copied) future.sent = encoded;
        Atomics.add(this.#words, board.PORT_SENT, 1);
        if (this.#thread !== null) future.assign(this.#thread);
        if (options.timeoutMs !== undefined)
          tell({ op: "watch", key: this.key, callId: future.callId, timeoutMs: options.timeoutMs });
      } else {
        const task = { message: encoded.message, timeoutMs: options.timeoutMs, moved: false };
        tell({ op: "submit", key: this.key, tasks: [task] }, encoded.transfer);
        listenForWorkers(this.key, this);
        this.#carry(future, -1);
      }
    } catch (error) {
      this.#uncount();
      this.failToSend(future, encoded, error);
    }
    return future as TaskFuture<R>;
  }

  /**
   * A look at the running loop.
   *
   * @throws ManagerNotRunning
   */
  getEventLoop(): LoopHandle {
    if (!this.isRunning()) throw new ManagerNotRunning(this.label, this.whyNot());
    const { head, key } = this;
    const thread = (): ThreadInfo | null => this.#thread;
    return {
      get thread() {
        return thread();
      },
      get pending() {
        return Atomics.load(head, board.OUTSTANDING);
      },
      utilization: () => ask<number>({ op: "utilization", key }),
      lagMs: () => board.lagMs(head),
    };
  }

  async stats(): Promise<LoopStats> {
    return loopStats(this.head, this.key);
  }

  /** @internal */
  connected(): void {
    // Loops are connected from this side, at the first task.
  }

  /** @internal */
  withdraw(): void {
    // A loop's tasks begin as they come.
  }

  /** @internal The loop's thread is up. */
  up(event: Extract<FromService, { op: "up" }>): void {
    this.#thread = threadFromLinks(event.links);
    for (const future of this.#carried()) future.assign(this.#thread);
  }

  /** @internal The loop's thread has ended: what it had is lost. */
  gone(event: Extract<FromService, { op: "gone" }>): void {
    this.#submitter?.drain();
    this.#submitter?.close();
    this.#submitter = undefined;
    this.#thread = null;
    const begun = Atomics.load(this.#words, board.PORT_BEGUN);
    // What was sent after the supervisor had counted what was lost was counted as outstanding by us alone.
    const unseen = this.#order - Atomics.load(this.#words, board.PORT_SENT_AT_CLOSE);
    this.#order = 0;
    this.#words = board.newPortWords();
    Atomics.sub(this.head, board.OUTSTANDING, unseen);
    const name = event.links[0]?.name ?? this.label;
    for (const future of this.#carried()) {
      if (future.carriedAs > begun) {
        if (this.isRunning()) this.#again(future);
        else future.fail(new TaskCancelledError("The task was cancelled: its loop was stopped before it began."));
        continue;
      }
      if (event.links.length > 0) future.assign(threadFromLinks(event.links));
      future.fail(new WorkerCrashedError(name, event.exit.reason, event.exit.exitCode, cause(event.exit.message)));
    }
    this.flush(); // at once: a thread that is blocked on one of them comes to no end of its turn
  }

  /** @internal */
  isGone(): boolean {
    return Atomics.load(this.head, board.STATE) === board.GONE;
  }

  protected override wrongType(given: string | undefined, expected: string): Error {
    return new UnknownAsyncTaskError(given, expected);
  }

  protected override cancelled(future: TaskFuture<unknown>, reason: unknown): void {
    this.flush();
    tell({
      op: "cancel",
      key: this.key,
      callId: future.callId,
      reason: reason === undefined ? undefined : encodeError(reason),
    });
    if (this.#submitter !== undefined) this.#submitter.cancel(future.callId, reason);
  }

  protected override beforeBlocking(): void {
    refuseOwnLoop(this.key, this.label);
  }

  protected override failureLogger(log: boolean): ((future: TaskFuture<unknown>, thrown: unknown) => void) | undefined {
    // A failing task of a loop is logged only if nobody looks at it, which the future itself does.
    return log ? undefined : silence;
  }

  protected override flush(): void {
    this.#submitter?.flush();
  }

  /** A task that the dead thread had not begun: to the next one. */
  #again(future: TaskFuture<unknown>): void {
    const encoded = this.encodeAgain(future);
    if (encoded === undefined) return;
    Atomics.add(this.head, board.OUTSTANDING, 1);
    const port = this.#connect() as Submitter;
    port.send(encoded);
    this.#order += 1;
    this.#carry(future, this.#order);
    Atomics.add(this.#words, board.PORT_SENT, 1);
  }

  /** The loop has it. `order`: its place in the order of the direct port; -1: it cannot be sent again. */
  #carry(future: TaskFuture<unknown>, order: number): void {
    future.carrier = this;
    future.carriedAs = order;
  }

  /** The tasks that the loop has. */
  #carried(): TaskFuture<unknown>[] {
    return [...openTasks()].filter((future) => future.carrier === this);
  }

  #uncount(): void {
    if (Atomics.sub(this.head, board.OUTSTANDING, 1) === 1 && !this.isRunning()) tell({ op: "poke", key: this.key });
  }

  /** The direct port to the loop's thread; `undefined` where this thread cannot hand over ports. */
  #connect(): Submitter | undefined {
    if (this.#submitter !== undefined || !line().carriesPorts) return this.#submitter;
    const { port1, port2 } = new MessageChannel();
    listenForWorkers(this.key, this);
    const answers = newAnswerRing();
    this.#submitter = new Submitter(port1, answers, (future) => {
      if (this.#thread !== null) future.assign(this.#thread);
    });
    tell({ op: "connect", key: this.key, port: port2, bell: ownDoorbell(), answers, words: this.#words }, [port2]);
    return this.#submitter;
  }
}

// The build has to rename a class that speaks of itself.
Object.defineProperty(LoopManager, "name", { value: "LoopManager" });
