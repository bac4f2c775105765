import { types } from "node:util";

/**
 * What a task has returned: itself, or a promise where it is to be awaited. Called inside the task, so that a `then` that
 * works only when it is called (a query, a future, a lazy promise) knows whose it is. A `then` that throws, tells twice or
 * gives another of its kind is no more trouble than to an `await`.
 */
export function awaited(value: unknown): unknown {
  if (value === null || (typeof value !== "object" && typeof value !== "function")) return value;
  const { then } = value as { readonly then?: unknown };
  if (typeof then !== "function" || (then === Promise.prototype.then && types.isPromise(value))) return value;
  return new Promise((resolve, reject) => then.call(value, resolve, reject));
}
