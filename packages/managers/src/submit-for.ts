import type { TaskCall, TaskFuture } from "@duck-ts/runtime";
import type { SubmitOptions } from "./options.ts";

type Caller = (...args: never[]) => unknown;

/** The method on whose behalf a task is being submitted right now. */
let current: Caller | undefined;

/** Submits for a method that the user called: the future keeps where that was, and holds none of what is in between. */
export function submitFor<R>(
  caller: Caller,
  executor: { submitTask<T>(call: TaskCall<T>, options?: SubmitOptions): TaskFuture<T> },
  call: TaskCall<R>,
  options: SubmitOptions | undefined,
): TaskFuture<R> {
  current = caller;
  try {
    return executor.submitTask(call, options);
  } finally {
    current = undefined;
  }
}

/** The method that the user called; `submitter` where that is the manager's own. */
export function callerOr(submitter: Caller): Caller {
  return current ?? submitter;
}
