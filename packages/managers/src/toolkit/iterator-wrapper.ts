import type { Task, TaskCall } from "@duck-ts/runtime";
import { toTaskCall } from "@duck-ts/runtime/internal";
import { bodyOf, type ThreadedIterable, type ThreadedIterableSeparate } from "./declaration.ts";
import { placeOf, type SeparateOptions, type ThreadedOptions } from "./executor.ts";
import { checkIterable, ITERABLE_OPTIONS, type IterableOptions, ThreadedIterator } from "./threaded-iterator.ts";

/** What a wrapper wraps: a declared generator function without arguments, or a call of one with them. */
export type IterableSource<T> =
  | Task<[], Iterable<T>>
  | TaskCall<Iterable<T>>
  | ThreadedIterable<[], T>
  | ThreadedIterableSeparate<[], T>;

/**
 * Reads a generator that was declared elsewhere, with a bound or an executor of one's own:
 * `new IteratorWrapper(rows("users"), { executor: pool, maxSize: 10 })`, where `rows` is a `task()`. Behaves like what a
 * `threadedIterable` returns.
 *
 * aiomisc's `IteratorWrapper`.
 *
 * @throws NotATaskError for a function that was not declared.
 * @throws TypeError, RangeError for bad options.
 */
export class IteratorWrapper<T> extends ThreadedIterator<T> {
  constructor(source: IterableSource<T>, options: ThreadedOptions & IterableOptions = {}) {
    const { maxSize, closeTimeoutMs, ...rest } = options;
    const place = placeOf(false, rest, "IteratorWrapper", ITERABLE_OPTIONS);
    super(callOf(source), place, checkIterable({ maxSize, closeTimeoutMs }, "IteratorWrapper"));
  }
}

/**
 * As {@link IteratorWrapper}, in a thread of its own.
 *
 * aiomisc's `IteratorWrapperSeparate`.
 */
export class IteratorWrapperSeparate<T> extends ThreadedIterator<T> {
  constructor(source: IterableSource<T>, options: SeparateOptions & IterableOptions = {}) {
    const { maxSize, closeTimeoutMs, ...rest } = options;
    const place = placeOf(true, rest, "IteratorWrapperSeparate", ITERABLE_OPTIONS);
    super(callOf(source), place, checkIterable({ maxSize, closeTimeoutMs }, "IteratorWrapperSeparate"));
  }
}

function callOf(source: unknown): TaskCall<unknown> {
  return toTaskCall(bodyOf(source) ?? source);
}
