import { NotATaskError } from "../errors.ts";
import { isTask } from "./known-tasks.ts";
import type { TaskCall } from "./task.ts";
import { isTaskCall } from "./task-call.ts";

/**
 * What `submitTask` and its like accept: a call of a task, or a task, which is then called without arguments.
 *
 * @throws NotATaskError for anything else, with advice for what was found.
 */
export function toTaskCall(value: unknown): TaskCall<unknown> {
  if (isTaskCall(value)) return value;
  if (isTask(value)) return value();
  throw new NotATaskError(`Expected a task or a call of one, got ${found(value)}`);
}

function found(value: unknown): string {
  if (typeof value === "function") return foundFunction(value);
  if (typeof value !== "object" || value === null) {
    const shown = typeof value === "string" ? JSON.stringify(value.slice(0, 40)) : String(value);
    return `${value === null || value === undefined ? shown : `the ${typeof value} ${shown}`}. ${declareIt("fn")}`;
  }
  if ("then" in value && typeof value.then === "function") {
    return (
      "a promise: the function was called already, in this thread. Pass the call without running it: " +
      "const fn = task(async (x) => ...), then fn(x) rather than the promise."
    );
  }
  if (Symbol.asyncIterator in value || (Symbol.iterator in value && "next" in value)) {
    return `a generator: the function was called already, in this thread. ${declareIt("fn")}`;
  }
  if (Array.isArray(value)) return `an array. ${declareIt("fn")} Submit several calls one by one.`;
  const kind = value.constructor?.name;
  return `${kind === undefined || kind === "Object" ? "an object" : `an instance of ${kind}`}. ${declareIt("fn")}`;
}

function foundFunction(fn: { readonly name: string }): string {
  const name = fn.name.replace(/^bound /, "");
  if ("syncCall" in fn) {
    const called = /^[\w$]+$/.test(name) ? name : "fn";
    return `the threaded function ${called} itself. Pass a call of it that has not run: ${called}.call(...).`;
  }
  return (
    `${name === "" ? "a function" : `the function ${name}`}, which closes over this thread and cannot cross to another. ` +
    declareIt(/^[\w$]+$/.test(name) ? name : "fn")
  );
}

function declareIt(name: string): string {
  return (
    `Declare it with task() at the top level of a module (const ${name}Task = task(${name})) and pass a call of it ` +
    `(${name}Task(...args)); for the exports of an existing module use importTasks().`
  );
}
