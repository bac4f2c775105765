import { inspect } from "node:util";
import { DeadlockError, TaskCancelledError, TaskFuture, TaskTimeoutError, type ThreadInfo } from "@duck-ts/runtime";
import {
  currentThread,
  type EncodedTask,
  encodeTask,
  existingLine,
  explainTask,
  futureInternals,
  isImportingTasks,
  runWithContext,
  sendBeforeBlocking,
  type TaskCall,
  type TaskFutureOptions,
  threadFromLinks,
  threadWide,
  toTaskCall,
} from "@duck-ts/runtime/internal";
import * as board from "./board.ts";
import { ManagerAlreadyRunning, ManagerNotRunning, UsedWhileImportingError } from "./errors.ts";
import { onAbort } from "./on-abort.ts";
import { checkStop, checkSubmit, type StopOptions, type SubmitOptions } from "./options.ts";
import { ownExecutor } from "./own-executor.ts";
import type { Introduction, Kind, ManagerId, Started, StopReport } from "./protocol.ts";
import { ask, askAsync, tell } from "./service-client.ts";
import { callerOr } from "./submit-for.ts";
import { managerLabel } from "./supervisor/records.ts";

/** What the two managers have in common: identity, state, the guard, submitting and stopping. */
export abstract class Manager {
  readonly #intro: Introduction;
  readonly #owner: ThreadInfo;
  readonly #label: string;
  #started: Started | undefined;
  readonly #onCancel = (future: TaskFuture<unknown>, reason: unknown): void => this.cancelled(future, reason);
  readonly #onBlocking = (future: TaskFuture<unknown>): void => this.beforeBlocking(future);
  #logged: { readonly epoch: number; readonly options: TaskFutureOptions } | undefined;
  #silent: { readonly epoch: number; readonly options: TaskFutureOptions } | undefined;

  /** Not for users: managers come from `getOrCreateLoopManager` and `getOrCreateThreadManager`. */
  protected constructor(intro: Introduction) {
    if (!Array.isArray(intro?.owner)) {
      const { name } = new.target;
      throw new TypeError(
        `${name} cannot be made with new: getOrCreate${name === "LoopManager" ? "Loop" : "Thread"}Manager(id) finds it or makes it.`,
      );
    }
    this.#intro = intro;
    this.#owner = intro.owner[0]?.id === currentThread().id ? currentThread() : threadFromLinks(intro.owner);
    this.#label = managerLabel(intro.kind, intro.id);
  }

  /** What it is found by; `undefined` for the default one. */
  get id(): ManagerId | undefined {
    return this.#intro.id;
  }

  /** The thread that made it. When that thread ends, it is stopped. */
  get owner(): ThreadInfo {
    return this.#owner;
  }

  /** Whether this is a handle on an ancestor's manager. */
  get inherited(): boolean {
    return this.#intro.owner[0]?.id !== currentThread().id;
  }

  get state(): "idle" | "running" | "stopping" | "stopped" {
    return board.stateName(Atomics.load(this.head, board.STATE));
  }

  /** The one task type it takes, or `null` for all. Known while it runs. */
  get taskType(): string | null {
    return this.isRunning() ? this.started().taskType : null;
  }

  /**
   * Lets it finish what is queued and running, then ends its threads; what is left after `timeoutMs` is terminated.
   * Every future is settled when the report is there. Stopping what does not run is no error.
   */
  async stop(options: StopOptions = {}): Promise<StopReport> {
    const checked = checkStop(options, `${this.className}.stop`);
    const was = board.beginStopping(this.head);
    if (was !== board.RUNNING && was !== board.STOPPING) return { completed: 0, cancelled: 0, terminated: 0 };
    this.flush();
    return askAsync<StopReport>({ op: "stop", key: this.key, ...checked });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  toString(): string {
    const id = this.id === undefined ? "default" : JSON.stringify(this.id);
    const type = this.taskType === null ? "" : ` taskType=${JSON.stringify(this.taskType)}`;
    return `<${this.className} id=${id} state=${this.state}${type} owner="${this.owner.name}"${this.inherited ? " inherited" : ""}>`;
  }

  /** As users know it, also after a bundler has renamed the class. */
  protected get className(): string {
    return this.kind === "loop" ? "LoopManager" : "ThreadPoolManager";
  }

  /** @internal */
  get kind(): Kind {
    return this.#intro.kind;
  }

  /** @internal */
  get key(): string {
    return this.#intro.key;
  }

  /** @internal What another thread needs to have a handle of it. */
  get introduction(): Introduction {
    return this.#intro;
  }

  /** @internal */
  get counters(): board.Words {
    return this.#intro.head;
  }

  protected get head(): board.Words {
    return this.#intro.head;
  }

  /** `pool "io"`, for messages. */
  protected get label(): string {
    return this.#label;
  }

  /** @internal Has it tasks, or may it have, that are finished before its thread ends? */
  get outlives(): boolean {
    if (this.isRunning()) return !this.started().daemon;
    return Atomics.load(this.head, board.STATE) === board.STOPPING;
  }

  protected isRunning(): boolean {
    return Atomics.load(this.head, board.STATE) === board.RUNNING;
  }

  /** What it was started with, also if another thread started it. */
  protected started(): Started {
    const epoch = Atomics.load(this.head, board.EPOCH);
    if (this.#started?.epoch !== epoch) {
      this.#started = ask<Started | undefined>({ op: "describe", key: this.key });
      if (this.#started === undefined) throw new ManagerNotRunning(this.label, this.whyNot());
    }
    return this.#started;
  }

  protected whyNot(): string {
    switch (Atomics.load(this.head, board.STATE)) {
      case board.IDLE:
        return "it was not started yet. Call start() first";
      case board.GONE:
        return `its owner, thread "${this.owner.name}", has ended or has replaced it. Get one anew with getOrCreate${this.#intro.kind === "loop" ? "Loop" : "Thread"}Manager()`;
      case board.STOPPING:
        return "it is stopping. Wait for stop() to end, then start() it again";
      default:
        return "it was stopped. Call start() again";
    }
  }

  protected startWith(make: (epoch: number) => Started): void {
    refuseWhileImporting("A start of", this.label);
    existingLine()?.assertOpen();
    const state = Atomics.load(this.head, board.STATE);
    if (state === board.GONE) throw new ManagerNotRunning(this.label, this.whyNot());
    const claimed =
      Atomics.compareExchange(this.head, board.STATE, board.IDLE, board.RUNNING) === board.IDLE ||
      Atomics.compareExchange(this.head, board.STATE, board.STOPPED, board.RUNNING) === board.STOPPED;
    if (!claimed) throw new ManagerAlreadyRunning(this.label, this.state === "stopping" ? "stopping" : "running");
    const epoch = Atomics.add(this.head, board.EPOCH, 1) + 1;
    this.#started = make(epoch);
    tell({ op: "start", key: this.key, started: this.#started });
  }

  /** The checks that both kinds share, in their order. */
  protected checkSubmission(given: unknown, options: SubmitOptions): TaskCall<unknown> {
    refuseWhileImporting("A task was submitted to", this.label);
    if (options !== NO_OPTIONS) checkSubmit(options, `${this.className}.submitTask`);
    existingLine()?.assertOpen();
    if (!this.isRunning()) throw new ManagerNotRunning(this.label, this.whyNot());
    const started = this.started();
    if (started.taskType !== null && options.taskType !== started.taskType)
      throw this.wrongType(options.taskType, started.taskType);
    return toTaskCall(given);
  }

  protected abstract wrongType(given: string | undefined, expected: string): Error;

  /** `submitter`: the method that the user called, from which the future keeps where that was. */
  protected future(
    call: TaskCall<unknown>,
    options: SubmitOptions,
    submitter: (...args: never[]) => unknown,
  ): TaskFuture<unknown> {
    const settings = this.#futureOptions(this.started(), options.logException ?? true);
    const future = TaskFuture.open<unknown>(settings, call, callerOr(submitter));
    if (options.timeoutMs === 0) {
      future.fail(new TaskTimeoutError(0)); // its time is over: a quick worker, or a slow supervisor, must not decide that
      return future;
    }
    if (options.timeoutMs !== undefined || options.signal !== undefined) future.endsByItself();
    if (options.timeoutMs !== undefined)
      futureInternals.whenSettled(future, () => tell({ op: "done", key: this.key, callId: future.callId }));
    if (options.signal !== undefined) followSignal(future, options.signal);
    return future;
  }

  /** What all futures of a run have in common is made once; a failure's log line may need what is current now. */
  #futureOptions({ epoch, daemon }: Started, log: boolean): TaskFutureOptions {
    const onFailure = this.failureLogger(log);
    const kept = log ? this.#logged : this.#silent;
    if (kept?.epoch === epoch && kept.options.onFailure === onFailure) return kept.options;
    const options: TaskFutureOptions = {
      executor: this.key,
      executorLabel: this.label,
      keepAlive: !daemon,
      onCancel: this.#onCancel,
      beforeBlocking: this.#onBlocking,
      onFailure,
    };
    if (log) this.#logged = { epoch, options };
    else this.#silent = { epoch, options };
    return options;
  }

  /** Makes the message; a value that cannot cross fails the future, and nothing else. */
  protected encode(future: TaskFuture<unknown>, options: SubmitOptions): EncodedTask | undefined {
    try {
      return encodeTask(future, options.transfer);
    } catch (error) {
      future.fail(error as Error);
      return undefined;
    }
  }

  /** The message of a task that is sent once more, as it was at its submission: its context is not this moment's. */
  protected encodeAgain(future: TaskFuture<unknown>): EncodedTask | undefined {
    return (future.sent as EncodedTask | undefined) ?? runWithContext(undefined, () => this.encode(future, NO_OPTIONS));
  }

  protected failToSend(future: TaskFuture<unknown>, encoded: EncodedTask, error: unknown): void {
    future.fail(explainTask(encoded, error));
  }

  protected abstract cancelled(future: TaskFuture<unknown>, reason: unknown): void;
  protected abstract beforeBlocking(future: TaskFuture<unknown>): void;
  /** The same function each time, unless it has to remember something of this very submission. */
  protected abstract failureLogger(log: boolean): ((future: TaskFuture<unknown>, thrown: unknown) => void) | undefined;
  /** @internal The turn of the event loop ends late or not at all: the thread stands still, or ends. */
  leave(): void {
    this.flush();
  }

  /** @internal Another takes its id: it takes no more tasks, and those that it has taken are ahead of that news. */
  retire(): void {
    board.beginStopping(this.head);
    this.flush();
  }

  /** Sends what is held back for the end of the turn. */
  protected abstract flush(): void;
}

Object.defineProperty(Manager.prototype, inspect.custom, {
  value(this: Manager): string {
    return this.toString();
  },
});

/** What a submission without options has. */
export const NO_OPTIONS: SubmitOptions = Object.freeze({});

/** What `logException: false` does with a failure. */
export function silence(): void {}

/** Why nothing may start here. */
function refuseWhileImporting(what: string, label: string): void {
  if (isImportingTasks()) throw new UsedWhileImportingError(`${what} ${label}`);
}

/** Cancels the future as soon as the signal is aborted. */
export function followSignal(future: TaskFuture<unknown>, signal: AbortSignal): void {
  const abort = (): void =>
    void future.cancelWith(
      new TaskCancelledError("The task was cancelled: its signal was aborted.", signal.reason),
      signal.reason,
    );
  if (signal.aborted) {
    abort(); // it must not run, also where this thread blocks from here on
    return;
  }
  futureInternals.whenSettled(future, onAbort(signal, abort));
}

/** A loop's task cannot be waited for on the loop's own thread. */
export function refuseOwnLoop(key: string, label: string): void {
  if (ownExecutor().key === key) {
    throw new DeadlockError([
      `thread "${currentThread().name}" waits for a task of ${label}, whose event loop is this very thread and stands still while it waits`,
    ]);
  }
}

/** All managers that this thread has handles of, by key. */
export function handles(): Map<string, Manager> {
  return threadWide("manager-handles", () => {
    const all = new Map<string, Manager>();
    sendBeforeBlocking(() => {
      for (const manager of all.values()) manager.leave();
    });
    // What was submitted in the turn in which the thread ends still goes out, and with it what was counted for it.
    process.on("exit", () => {
      for (const manager of all.values()) manager.leave();
    });
    return all;
  });
}
