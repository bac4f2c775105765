/** Whether what a handler, a schema or a source has given is still to come. */
export function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}

/** The same as a Promise: what only has a `then`, a query builder's say, need not give one back. */
export function asPromise<T>(value: Promise<T>): Promise<T> {
  return value instanceof Promise ? value : Promise.resolve(value);
}
