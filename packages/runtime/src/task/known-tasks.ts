import { threadWide } from "../thread/shared-state.ts";
import type { AnyTask, Task, TaskCall } from "./task.ts";
import { makeCall } from "./task-call.ts";
import { type TaskFunction, type TaskRef, taskId } from "./task-ref.ts";

interface KnownTask {
  readonly ref: TaskRef;
  readonly fn: TaskFunction;
  /** What this thread keeps of its submissions; see future/submission.ts. */
  submissions: object | undefined;
}

/** What stands behind each task, also behind those that another copy of this library made in this thread. */
const known: WeakMap<object, KnownTask> = threadWide("task.known", () => new WeakMap());

/** Makes the callable for a reference; `fn` is what runs in this thread. */
export function makeTask<A extends unknown[], R>(ref: TaskRef, fn: TaskFunction): Task<A, R> {
  const made = ((...args: A): TaskCall<R> => makeCall<R>(made, fn, args)) as Task<A, R>;
  Object.defineProperties(made, {
    name: { value: ref.name || fn.name, configurable: true },
    length: { value: fn.length, configurable: true },
    id: { value: taskId(ref), enumerable: true },
  });
  known.set(made, { ref, fn, submissions: undefined });
  return made;
}

/** Whether the value is a task, whichever copy of this library declared it. */
export function isTask(value: unknown): value is Task<unknown[], unknown> {
  return typeof value === "function" && known.has(value);
}

/** What crosses to another thread in a task's stead. */
export function taskRefOf(task: AnyTask): TaskRef {
  return entryOf(task).ref;
}

/** The function behind a task, in this thread. That of an imported task may return a promise for its result. */
export function taskFunction(task: AnyTask): TaskFunction {
  return entryOf(task).fn;
}

/** The place for what this thread keeps of the task's submissions. */
export function submissionsOf(task: AnyTask): { submissions: object | undefined } {
  return entryOf(task);
}

function entryOf(task: AnyTask): KnownTask {
  const entry = known.get(task);
  if (entry === undefined) throw new TypeError(`Expected a task, got ${typeof task}. Declare it with task().`);
  return entry;
}
