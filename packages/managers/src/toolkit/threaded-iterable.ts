import type { DeclareOptions, ThreadedIterable, ThreadedIterableSeparate } from "./declaration.ts";
import { declareThreaded } from "./declare-threaded.ts";
import type { SeparateOptions } from "./executor.ts";
import type { IterableOptions } from "./threaded-iterator.ts";

/**
 * Makes a blocking generator (or any function that returns something iterable) one that runs in the current pool and is
 * read with `for await`. Nothing runs before the loop starts; the body is never more than `maxSize` items ahead (1024 by
 * default, 0: no bound) and blocks its thread meanwhile; when the loop is left, in whatever way, its `finally` has run.
 *
 * aiomisc's `@threaded_iterable`.
 *
 * @throws TypeError, RangeError for bad options, an async generator, or something that is no function.
 * @throws TaskDeclarationError inside a function, where no other thread finds it.
 * @example
 * ```ts run
 * import { threadedIterable } from "@duck-ts/managers";
 *
 * const count = threadedIterable(function* (to: number) {
 *   for (let i = 1; i <= to; i++) yield i; // blocks while two items wait
 * }, { maxSize: 2 });
 *
 * for await (const n of count(1_000_000)) {
 *   console.log(n);
 *   if (n === 3) break;
 * }
 * ```
 * ```text output
 * 1
 * 2
 * 3
 * ```
 */
export function threadedIterable<A extends unknown[], T>(
  fn: (...args: A) => Iterable<T>,
  options: DeclareOptions & IterableOptions = {},
): ThreadedIterable<A, T> {
  return declareThreaded(fn, options, {
    declare: threadedIterable,
    where: "threadedIterable",
    separate: false,
    iterable: true,
  }) as ThreadedIterable<A, T>;
}

/**
 * As {@link threadedIterable}, but each run has a new thread of its own: for bodies that run long, or that would starve
 * each other in a pool (two that are read in turns need two threads).
 *
 * aiomisc's `@threaded_iterable_separate`.
 *
 * @throws TypeError, RangeError, TaskDeclarationError as {@link threadedIterable}.
 */
export function threadedIterableSeparate<A extends unknown[], T>(
  fn: (...args: A) => Iterable<T>,
  options: DeclareOptions & IterableOptions & Pick<SeparateOptions, "detach"> = {},
): ThreadedIterableSeparate<A, T> {
  return declareThreaded(fn, options, {
    declare: threadedIterableSeparate,
    where: "threadedIterableSeparate",
    separate: true,
    iterable: true,
  }) as ThreadedIterableSeparate<A, T>;
}
