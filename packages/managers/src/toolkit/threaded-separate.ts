import type { Blocking, DeclareOptions, ThreadedIterableSeparate, ThreadedSeparate } from "./declaration.ts";
import { declareThreaded } from "./declare-threaded.ts";
import type { SeparateOptions } from "./executor.ts";
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
 * As `threaded`, but each call has a new thread of its own, which ends with it: for what runs long and would take a
 * place in a pool all that time. A thread costs some 20 to 50 ms and 8 MB. It starts without a turn of the caller's
 * event loop, so the caller may block right after. It ends, too, when the thread that called ends.
 *
 * With `detach: false` the process does not end before the thread has; by default it is waited for only if somebody
 * awaits it.
 *
 * aiomisc's `@threaded_separate`.
 *
 * @throws TypeError for an async function, or something that is none.
 * @throws TaskDeclarationError inside a function, where no other thread finds it.
 * @example
 * ```ts run
 * import { threadedSeparate } from "@duck-ts/managers";
 *
 * const workUntil = threadedSeparate((stop: Int32Array) => {
 *   while (Atomics.wait(stop, 0, 0, 10) === "timed-out"); // works, and looks now and then
 *   return "finished";
 * });
 *
 * const stop = new Int32Array(new SharedArrayBuffer(4)); // what threading.Event is in Python
 * setTimeout(() => {
 *   Atomics.store(stop, 0, 1);
 *   Atomics.notify(stop, 0);
 * }, 50);
 * console.log(await workUntil(stop));
 * ```
 * ```text output
 * finished
 * ```
 */
export function threadedSeparate<A extends unknown[]>(
  fn: (...args: A) => never,
  options?: DeclareOptions & Pick<SeparateOptions, "detach">,
): ThreadedSeparate<A, never>;
export function threadedSeparate<A extends unknown[], T>(
  fn: (...args: A) => Generator<T, unknown, unknown>,
  options?: DeclareOptions & IterableOptions & Pick<SeparateOptions, "detach">,
): ThreadedIterableSeparate<A, T>;
export function threadedSeparate<A extends unknown[], R>(
  fn: ((...args: A) => R) & Blocking<R>,
  options?: DeclareOptions & Pick<SeparateOptions, "detach">,
): ThreadedSeparate<A, R>;
export function threadedSeparate<This extends object, A extends unknown[], R>(
  method: (this: This, ...args: A) => R,
  context: MethodContext,
): ThreadedMethod<This, A, R>;
export function threadedSeparate(prototype: object, name: string | symbol, method: PropertyDescriptor): void;
export function threadedSeparate(fn: unknown, options: unknown = {}, descriptor?: unknown): unknown {
  if (isMethodDescriptor(descriptor)) return decorateDescriptor(descriptor, options, "threadedSeparate");
  if (isMethodContext(options)) return decorateMethod(fn, options, "threadedSeparate");
  return declareThreaded(fn, options, {
    declare: threadedSeparate,
    where: "threadedSeparate",
    separate: true,
    iterable: false,
  });
}
