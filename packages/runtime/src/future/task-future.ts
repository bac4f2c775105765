import { DeadlockError, TaskCancelledError, WorkerCrashedError } from "../errors.ts";
import { logger } from "../logger.ts";
import { existingLine, line, lineHandlers } from "../supervisor/line.ts";
import type { TaskCall } from "../task/task.ts";
import { currentThread, type ThreadInfo } from "../thread/identity.ts";
import { keepShape } from "../thread/kept-shapes.ts";
import { threadWide } from "../thread/shared-state.ts";
import { decodeThrown } from "../wire/error-codec.ts";
import type { FromWorker, WaitTarget } from "../wire/messages.ts";
import { decodeValue } from "../wire/value-codec.ts";
import { threadLabel } from "./doorbell.ts";
import { OpenTasks } from "./open-tasks.ts";
import type { SharedHandle } from "./shared-handle.ts";
import { NOT_ITS_OWN, type Submission, stackAbove, submission } from "./submission.ts";
import { futureInternals, SyncFuture } from "./sync-future.ts";

/** What a manager says about the tasks that it takes. */
export type TaskFutureOptions = {
  /** Names the executor to the supervisor. */
  readonly executor: string;
  /** Names it to people: `pool "io"`. */
  readonly executorLabel: string;
  /** Whether the process stays alive until it is done. */
  readonly keepAlive: boolean;
  readonly onCancel: (future: TaskFuture<unknown>, reason: unknown) => void;
  /** Before the thread blocks: run it here, send what is still held back, throw a DeadlockError. */
  readonly beforeBlocking: (future: TaskFuture<unknown>) => void;
  readonly onFailure?: ((future: TaskFuture<unknown>, thrown: unknown) => void) | undefined;
};

type Tasks = { nextCall: number; readonly open: OpenTasks<TaskFuture<unknown>> };

const tasks: Tasks = threadWide("task-futures", () => {
  const own: Tasks = { nextCall: 0, open: new OpenTasks() };
  lineHandlers().ended.add((error) => {
    for (const future of [...own.open.values()]) future.fail(error);
  });
  return own;
});

/** The result of a submitted task. Belongs to the thread that submitted it; may be passed to others like any SyncFuture. */
export class TaskFuture<T> extends SyncFuture<T> {
  /** Unique in the submitting thread. */
  readonly callId: number;
  readonly call: TaskCall<unknown>;
  /** `Date.now()`. For managers. */
  readonly submittedAt: number;
  /** Who carries it to its worker, and its number there. For managers. */
  carrier: object | undefined;
  carriedAs = -1;
  /** The futures among its arguments. For whoever encodes it. */
  carries: readonly SharedHandle[] | undefined;
  /** What was sent, where that cannot be made once more from the call: as long as it is not settled. For managers. */
  sent: object | undefined;
  #worker: ThreadInfo | null = null;
  readonly #options: TaskFutureOptions;
  readonly #submission: Submission;
  #blockedOn = false;
  #bounded = false;
  #keepsProcess = false;

  /** Not for users: submitting makes it. */
  constructor(
    callId: number,
    call: TaskCall<unknown>,
    options: TaskFutureOptions,
    submittedAt: number,
    where: Submission,
  ) {
    super();
    this.callId = callId;
    this.call = call;
    this.submittedAt = submittedAt;
    this.#options = options;
    this.#submission = where;
  }

  /** The future of a task that is being submitted, by way of the function `submitter`. For managers. */
  static open<T>(
    options: TaskFutureOptions,
    call: TaskCall<unknown>,
    submitter: (...args: never[]) => unknown,
  ): TaskFuture<T> {
    const own = existingLine();
    own?.assertOpen();
    own?.expectOutput();
    tasks.nextCall += 1;
    const now = Date.now();
    const future = new this<T>(tasks.nextCall, call, options, now, submission(call.task, submitter, now));
    tasks.open.set(future.callId, future as TaskFuture<unknown>);
    if (options.keepAlive) future.keepProcess();
    return future;
  }

  /** Unique in the process. */
  get taskId(): string {
    return `${currentThread().id}.${this.callId}`;
  }

  /** The thread that runs or ran it, once that is known; `null` while it is queued. */
  get worker(): ThreadInfo | null {
    return this.#worker;
  }

  /**
   * Cancels the task: its waiters get a {@link TaskCancelledError} at once. Queued, it never starts; running, its
   * `taskSignal()` is aborted and after a grace its thread is terminated and replaced. `false` if it was done already.
   */
  override cancel(reason?: unknown): boolean {
    return this.cancelWith(new TaskCancelledError(undefined, reason), reason);
  }

  /** As {@link cancel}, with the error that waiters get. For managers. */
  cancelWith(error: Error, reason: unknown): boolean {
    const cancelled = futureInternals.settle(this, { ok: false, thrown: error, cancelled: true });
    if (cancelled) this.#options.onCancel(this as TaskFuture<unknown>, reason);
    return cancelled;
  }

  /** Settles it without telling the executor, which knows or is gone. For managers. */
  fail(error: Error): boolean {
    const cancelled = error instanceof TaskCancelledError;
    const first = futureInternals.settle(this, { ok: false, thrown: error, cancelled });
    if (first && !cancelled) this.#options.onFailure?.(this as TaskFuture<unknown>, error);
    return first;
  }

  /** Lets it fail with whatever the task threw when it ran in this very thread. For managers. */
  failWith(thrown: unknown): boolean {
    const cancelled = thrown instanceof TaskCancelledError;
    const first = futureInternals.settle(this, { ok: false, thrown, cancelled });
    if (first) this.#options.onFailure?.(this as TaskFuture<unknown>, thrown);
    return first;
  }

  /** A deadline or a signal may end it, whatever happens to others. For managers. */
  endsByItself(): void {
    this.#bounded = true;
  }

  /** The thread that has the task, as soon as somebody knows. For managers. */
  assign(worker: ThreadInfo): void {
    this.#worker = worker;
  }

  /** Takes an answer. For managers. */
  settleWith(value: unknown): void {
    futureInternals.settle(this, { ok: true, value });
  }

  /** Takes the answer that came over the wire. For managers. */
  settleFromWire(message: FromWorker): void {
    if (message[0] === "ok") {
      this.settleWith(decodeValue(message[2], message[3]));
      return;
    }
    const thrown = decodeThrown(message[2], this.#submissionStack());
    const cancelled = thrown instanceof TaskCancelledError;
    const first = futureInternals.settle(this, { ok: false, thrown, cancelled });
    if (first) this.#options.onFailure?.(this as TaskFuture<unknown>, thrown);
  }

  /** Without a stack of its own: a thread that blocks on the task still stands close to where it submitted it. */
  #submissionStack(): string {
    const { at, isOwn } = this.#submission;
    const own = isOwn
      ? at.stack
      : this.#blockedOn
        ? (stackAbove(this.result) ?? stackAbove(this.exception))
        : undefined;
    return own ?? `${at.stack}${NOT_ITS_OWN}`;
  }

  protected override isAnswered(): boolean {
    return true;
  }

  protected override waitTarget(): WaitTarget {
    const { executor, executorLabel } = this.#options;
    return {
      on: "task",
      executor,
      callId: this.callId,
      bounded: this.#bounded,
      label: `task ${this.call.task.id} (${this.taskId}) of ${executorLabel}`,
    };
  }

  protected override beforeBlocking(): void {
    super.beforeBlocking();
    this.#blockedOn = true;
    if (tasks.open.get(this.callId) === undefined)
      throw new DeadlockError([`thread "${threadLabel()}" waits for a task that nobody has`]);
    this.#options.beforeBlocking(this as TaskFuture<unknown>);
  }

  protected override logFailure(thrown: unknown): void {
    if (this.#options.onFailure !== undefined) return; // its manager has logged it, or was told not to
    logger().warn(
      { err: thrown, task: this.taskId, manager: this.#options.executorLabel, thread: this.#worker?.name },
      "a task failed and nobody awaited it, blocked on it or handled it",
    );
  }

  /** The process stays alive until it is done. For the toolkit. */
  keepProcess(): void {
    if (this.#keepsProcess || this.done) return;
    this.#keepsProcess = true;
    line().hold();
  }

  /** Whoever wants to see it done keeps the process alive by other means. `false`: it did not do so. For the toolkit. */
  letProcessEnd(): boolean {
    if (!this.#keepsProcess) return false;
    this.#keepsProcess = false;
    line().letGo();
    return true;
  }

  protected override onSettled(): void {
    this.sent = undefined;
    tasks.open.delete(this.callId);
    this.letProcessEnd();
    if (this.carries === undefined) return;
    const outcome = futureInternals.outcome(this);
    const thrown = outcome?.ok === false ? outcome.thrown : undefined;
    const lost = thrown instanceof WorkerCrashedError ? thrown : undefined;
    for (const future of this.carries) future.delivered(this.callId, lost);
    this.carries = undefined;
  }
}

keepShape(new TaskFuture(0, {} as never, {} as never, Date.now(), {} as never));

/** The unsettled task that this thread submitted as `callId`. */
export function openTask(callId: number): TaskFuture<unknown> | undefined {
  return tasks.open.get(callId);
}

/** All unsettled tasks of this thread. */
export function openTasks(): Iterable<TaskFuture<unknown>> {
  return tasks.open.values();
}
