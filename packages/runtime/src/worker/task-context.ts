import { AsyncLocalStorage } from "node:async_hooks";
import { threadWide } from "../thread/shared-state.ts";

/** The task in whose body code runs. */
export class TaskContext {
  readonly #from: number;
  readonly #callId: number;
  #abort: AbortController | undefined;

  constructor(from: number, callId: number) {
    this.#from = from;
    this.#callId = callId;
  }

  /** Unique in the process: the submitting thread and its number for the call. */
  get id(): string {
    return `${this.#from}.${this.#callId}`;
  }

  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    return this.#abort.signal;
  }

  abort(reason: unknown): void {
    this.#abort ??= new AbortController();
    this.#abort.abort(reason);
  }
}

const storage: AsyncLocalStorage<TaskContext> = threadWide("task-context", () => new AsyncLocalStorage<TaskContext>());

/** Runs `fn` as the body of `task`. */
export function runInTask<T>(task: TaskContext, fn: () => T): T {
  return storage.run(task, fn);
}

/** The id of the task that runs this code, if any. */
export function currentTaskId(): string | undefined {
  return storage.getStore()?.id;
}

let never: AbortSignal | undefined;

/**
 * The signal of the task that runs this code: aborted when the task is cancelled or past its `timeoutMs`. A task that
 * ends soon after keeps its thread; one that does not loses it. Outside a task: a signal that never aborts.
 */
export function taskSignal(): AbortSignal {
  const task = storage.getStore();
  if (task !== undefined) return task.signal;
  never ??= new AbortController().signal;
  return never;
}
