import type { Blocking, DeclareOptions, Threaded, ThreadedIterable } from "./declaration.ts";
import { declareThreaded } from "./declare-threaded.ts";
import {
  decorateDescriptor,
  decorateMethod,
  isMethodContext,
  isMethodDescriptor,
  type MethodContext,
  type ThreadedMethod,
} from "./method-decorator.ts";
import type { IterableOptions } from "./threaded-iterator.ts";

/**
 * Makes a blocking function one that runs in the current pool whenever it is called, and can be awaited. Declare it at
 * the top level of a module; like any task it is found there by the other thread. Of a generator function it makes a
 * threaded iterable. As a decorator of a method it stands for `inThread(this).method(...)`.
 *
 * The current pool is the one given by `.with({ executor })`, else that of an open `entrypoint()`, else the process's
 * default pool. Called inside a worker of that pool it does not deadlock: if no thread is free, a task that blocks for
 * the result runs it itself.
 *
 * aiomisc's `@threaded`.
 *
 * @throws TypeError for an async function, or something that is none.
 * @throws TaskDeclarationError inside a function, where no other thread finds it.
 * @example
 * ```ts run
 * import { scryptSync } from "node:crypto";
 * import { threaded } from "@duck-ts/managers";
 *
 * const hash = threaded((password: string) => scryptSync(password, "salt", 16).toString("hex"));
 *
 * const [a, b] = await Promise.all([hash("x"), hash("x")]); // in two threads
 * console.log(a === b, a === hash.syncCall("x"));
 * ```
 * ```text output
 * true true
 * ```
 */
export function threaded<A extends unknown[]>(fn: (...args: A) => never, options?: DeclareOptions): Threaded<A, never>;
export function threaded<A extends unknown[], T>(
  fn: (...args: A) => Generator<T, unknown, unknown>,
  options?: DeclareOptions & IterableOptions,
): ThreadedIterable<A, T>;
export function threaded<A extends unknown[], R>(
  fn: ((...args: A) => R) & Blocking<R>,
  options?: DeclareOptions,
): Threaded<A, R>;
export function threaded<This extends object, A extends unknown[], R>(
  method: (this: This, ...args: A) => R,
  context: MethodContext,
): ThreadedMethod<This, A, R>;
export function threaded(prototype: object, name: string | symbol, method: PropertyDescriptor): void;
export function threaded(fn: unknown, options: unknown = {}, descriptor?: unknown): unknown {
  if (isMethodDescriptor(descriptor)) return decorateDescriptor(descriptor, options, "threaded");
  if (isMethodContext(options)) return decorateMethod(fn, options, "threaded");
  return declareThreaded(fn, options, { declare: threaded, where: "threaded", separate: false, iterable: false });
}
