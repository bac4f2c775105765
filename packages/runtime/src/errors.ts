/**
 * Every error that `@duck-ts/runtime` throws. Each class has a stable `code`, typed fields, and a message that says
 * what happened, what was expected and what to do.
 */

/** What every error of duck-ts shares: a `code` that never changes, beside the human message. */
export class DuckError extends Error {
  readonly code: string;
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** `result(timeoutMs)` or `exception(timeoutMs)` waited that long and the future was still not done. The future goes on. */
export class FutureTimeoutError extends DuckError {
  /** How long the caller waited, in milliseconds. */
  readonly timeoutMs: number;
  constructor(timeoutMs: number, what = "The future", options?: ErrorOptions & { code?: string; advice?: string }) {
    super(
      options?.code ?? "DUCK_FUTURE_TIMEOUT",
      `${what} was not done after ${timeoutMs} ms. ${options?.advice ?? "It still runs: wait again, give it longer, or cancel() it."}`,
      options,
    );
    this.timeoutMs = timeoutMs;
  }
}

/** A task passed the `timeoutMs` it was submitted with. Queued, it was dropped; running, it was aborted. */
export class TaskTimeoutError extends FutureTimeoutError {
  constructor(timeoutMs: number, what = "The task") {
    super(timeoutMs, what, {
      code: "DUCK_TASK_TIMEOUT",
      advice: "It was cancelled. Submit it with a larger timeoutMs, or let it watch taskSignal() and end earlier.",
    });
  }
}

/** The task or future was cancelled: by `cancel()`, by an aborted signal, or because its manager stopped. */
export class TaskCancelledError extends DuckError {
  /** What `cancel(reason)` or the signal gave as the reason. */
  readonly reason: unknown;
  constructor(message = "The task was cancelled.", reason?: unknown) {
    super("DUCK_TASK_CANCELLED", message, reason === undefined ? undefined : { cause: reason });
    this.reason = reason;
  }
}

/** Waiting here could never end: those who would answer wait, directly or through others, for this very wait. */
export class DeadlockError extends DuckError {
  /** Who waits for whom, one line each, the waiter that got this error first. */
  readonly cycle: readonly string[];
  constructor(
    cycle: readonly string[],
    advice = "Await the future instead of blocking, or run the inner task elsewhere.",
  ) {
    super("DUCK_DEADLOCK", `This wait can never end: ${cycle.join("; ")}. ${advice}`);
    this.cycle = cycle;
  }
}

/** `result()` was called on a thread that serves others and must not stand still. */
export class BlockingNotAllowedError extends DuckError {
  constructor(thread: string, why: string) {
    super(
      "DUCK_BLOCKING_NOT_ALLOWED",
      `Blocking is not allowed on thread "${thread}": ${why}. Await the future here, or block inside a handler or task.`,
    );
  }
}

/** How a worker thread ended. */
export type CrashReason = "exit" | "out-of-memory" | "error" | "terminated";

/** The thread that ran the task ended before the task did. */
export class WorkerCrashedError extends DuckError {
  readonly reason: CrashReason;
  /** The thread's exit code, where one is known. */
  readonly exitCode: number | undefined;
  /** The name of the thread that died. */
  readonly thread: string;
  constructor(thread: string, reason: CrashReason, exitCode?: number, options?: ErrorOptions) {
    const how = {
      exit: exitCode === undefined ? "ended" : `called process.exit() (code ${exitCode})`,
      "out-of-memory": "ran out of memory",
      error: "ended through an uncaught error",
      terminated: "was terminated",
    }[reason];
    super(
      "DUCK_WORKER_CRASHED",
      `Thread "${thread}" ${how} before the task was done. Its task is lost; a pool or a loop goes on in a new thread.`,
      options,
    );
    this.reason = reason;
    this.exitCode = exitCode;
    this.thread = thread;
  }
}

/** A value on its way to another thread holds something that cannot be cloned. */
export class DataNotCloneableError extends DuckError {
  /** Where it is inside the value: `args[0].user.save`. */
  readonly path: string;
  /** What was found there: `a function`, `a WeakMap`, ... */
  readonly found: string;
  /** `options.advice`: what to do instead, where more is known than that it has to be plain data. */
  constructor(path: string, found: string, options?: ErrorOptions & { readonly advice?: string }) {
    const advice =
      options?.advice ?? "Pass plain data (what structuredClone takes), a task, a SyncFuture or a channel.";
    super("DUCK_DATA_NOT_CLONEABLE", `${path} is ${found}, which cannot cross to another thread. ${advice}`, options);
    this.path = path;
    this.found = found;
  }
}

/** `task()` was given something that cannot be found again in another thread. */
export class TaskDeclarationError extends DuckError {
  constructor(message: string) {
    super("DUCK_TASK_DECLARATION", message);
  }
}

/** Something that is not a declared task was submitted: a closure, a plain function, a promise. */
export class NotATaskError extends TypeError {
  readonly code = "DUCK_NOT_A_TASK";
  constructor(message: string) {
    super(message);
  }
}

/** The other thread imported the task's module and did not find the task there, or found several that fit. */
export class TaskNotFoundError extends DuckError {
  readonly taskId: string;
  constructor(taskId: string, message: string, options?: ErrorOptions) {
    super("DUCK_TASK_NOT_FOUND", message, options);
    this.taskId = taskId;
  }
}

/** Gives each class its name on the prototype: no minifier changes it there, and no instance is cluttered with it. */
export function nameErrorClasses(classes: Readonly<Record<string, new (...args: never[]) => Error>>): void {
  for (const [name, cls] of Object.entries(classes)) {
    Object.defineProperty(cls.prototype, "name", {
      // A class that somebody derives from it goes by its own name.
      get(this: Error) {
        return this.constructor === cls || this === cls.prototype ? name : this.constructor.name;
      },
      set(this: Error, value: unknown) {
        Object.defineProperty(this, "name", { value, writable: true, configurable: true });
      },
      configurable: true,
    });
  }
}

nameErrorClasses({
  DuckError,
  FutureTimeoutError,
  TaskTimeoutError,
  TaskCancelledError,
  DeadlockError,
  BlockingNotAllowedError,
  WorkerCrashedError,
  DataNotCloneableError,
  TaskDeclarationError,
  NotATaskError,
  TaskNotFoundError,
});
