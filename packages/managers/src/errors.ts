/** Every error that `@duck-ts/managers` throws, beside those of the runtime. */
import { DuckError, registerErrorClass } from "@duck-ts/runtime";
import { nameErrorClasses } from "@duck-ts/runtime/internal";

/** `strictlyGet` found no manager of that id in the thread or any of its ancestors. */
export class ManagerNotFound extends DuckError {
  /** The threads that were asked, the current one first, each with the ids it has. */
  readonly asked: readonly string[];
  constructor(what: string, asked: readonly string[]) {
    super(
      "DUCK_MANAGER_NOT_FOUND",
      `No ${what} in this thread's lineage. Asked:\n${asked.map((line) => `  ${line}`).join("\n")}\nCreate it in one of these threads, or leave out strictlyGet to create it here.`,
    );
    this.asked = asked;
  }
}

/** The manager has not been started, is stopping or stopped, or its owner thread has ended. */
export class ManagerNotRunning extends DuckError {
  constructor(manager: string, why: string) {
    super("DUCK_MANAGER_NOT_RUNNING", `${manager} is not running: ${why}.`);
  }
}

/** `start()` on a manager that runs, or that is not done with stopping. Nothing was changed. */
export class ManagerAlreadyRunning extends DuckError {
  constructor(manager: string, state: "running" | "stopping" = "running") {
    super(
      "DUCK_MANAGER_ALREADY_RUNNING",
      state === "running"
        ? `${manager} is running already. Use it as it is, or stop() it first; check \`state\` before start().`
        : `${manager} is still stopping: what it has taken runs on. Await its stop() before start().`,
    );
  }
}

/** A task without the pool's task type was submitted to a protected pool. Duck's `UnknownTaskError`. */
export class UnknownTaskError extends DuckError {
  readonly taskType: string | undefined;
  readonly poolTaskType: string;
  constructor(taskType: string | undefined, poolTaskType: string) {
    super(
      "DUCK_UNKNOWN_TASK",
      `Task type ${show(taskType)} is not permitted in this thread pool (expected ${show(poolTaskType)}). Submit with { taskType: ${show(poolTaskType)} } if it belongs here; else use a pool of its own.`,
    );
    this.taskType = taskType;
    this.poolTaskType = poolTaskType;
  }
}

/** A task without the loop's task type was submitted to a protected loop. Duck's `UnknownAsyncTaskError`. */
export class UnknownAsyncTaskError extends DuckError {
  readonly givenType: string | undefined;
  readonly expectedType: string;
  constructor(givenType: string | undefined, expectedType: string) {
    super(
      "DUCK_UNKNOWN_ASYNC_TASK",
      `Async task type ${show(givenType)} is not permitted in this event loop (expected ${show(expectedType)}). Submit with { taskType: ${show(expectedType)} } if it belongs here; else use a loop of its own.`,
    );
    this.givenType = givenType;
    this.expectedType = expectedType;
  }
}

/** The pool's queue holds `maxQueue` tasks already. */
export class QueueFullError extends DuckError {
  readonly maxQueue: number;
  constructor(manager: string, maxQueue: number) {
    super(
      "DUCK_QUEUE_FULL",
      `The queue of ${manager} is full (maxQueue ${maxQueue}). Wait for tasks to finish, raise maxQueue, or shed load.`,
    );
    this.maxQueue = maxQueue;
  }
}

/** A module that is only being imported to find a task in it used a manager at its top level. */
export class UsedWhileImportingError extends DuckError {
  constructor(what: string) {
    super(
      "DUCK_USED_WHILE_IMPORTING",
      `${what} at the top level of a module that this thread imports to find a task in it. The module's evaluation stops here and the tasks declared above are used; to keep such code out of other threads, guard it with currentThread().kind === "main".`,
    );
  }
}

/** The channel was closed: by `close()`, or because the thread that consumes it has ended. */
export class ChannelClosed extends DuckError {
  constructor(
    message = "The channel is closed and everything that was put into it has been taken. Stop reading, or make a new channel.",
  ) {
    super("DUCK_CHANNEL_CLOSED", message);
  }
}

/** `get()` waited that long and nothing was put into the channel. The channel stays open. */
export class ChannelTimeout extends DuckError {
  /** How long the caller waited, in milliseconds. */
  readonly timeoutMs: number;
  constructor(timeoutMs: number) {
    super(
      "DUCK_CHANNEL_TIMEOUT",
      `Nothing was put into the channel for ${timeoutMs} ms. Call get() again, or give it a larger timeoutMs (0: no bound).`,
    );
    this.timeoutMs = timeoutMs;
  }
}

/** `entrypoint()` in a thread that is not a root, or while another one is open. */
export class EntrypointNotAllowed extends DuckError {
  constructor(why: string) {
    super("DUCK_ENTRYPOINT_NOT_ALLOWED", `entrypoint() is not allowed here: ${why}.`);
  }
}

/** The method of an object was called in another thread, and the object could not be rebuilt there as it is. */
export class ReviveHookNeeded extends DuckError {
  /** The object's class. */
  readonly className: string;
  constructor(className: string, why: string, options?: ErrorOptions) {
    super(
      "DUCK_REVIVE_HOOK_NEEDED",
      `An instance of ${className} cannot be rebuilt in another thread: ${why}. Give registerClass(${className}, { dehydrate, revive }) the two hooks: what to send, and how to make an instance of it.`,
      options,
    );
    this.className = className;
  }
}

function show(type: string | undefined): string {
  return type === undefined ? "undefined" : JSON.stringify(type);
}

const classes = {
  ManagerNotFound,
  ManagerNotRunning,
  ManagerAlreadyRunning,
  UnknownTaskError,
  UnknownAsyncTaskError,
  QueueFullError,
  UsedWhileImportingError,
  ChannelClosed,
  ChannelTimeout,
  EntrypointNotAllowed,
  ReviveHookNeeded,
};
nameErrorClasses(classes);
for (const [name, cls] of Object.entries(classes)) registerErrorClass(cls, name);
