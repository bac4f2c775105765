/** What the declaring functions have in common: which functions they take, and the two forms a declared one comes in. */
import { types } from "node:util";
import type { Task, TaskCall, TaskFuture, TaskOptions } from "@duck-ts/runtime";
import { type Place, placeWith, type SeparateOptions, submitTo, type ThreadedOptions } from "./executor.ts";
import { checkIterable, ITERABLE_OPTIONS, type IterableOptions, ThreadedIterator } from "./threaded-iterator.ts";

/** How a function is found again in another thread, where its place in its module is not enough. */
export type DeclareOptions = TaskOptions;

/** `unknown` for what may block in a thread; a sentence, which no function is, for what awaits by itself. */
export type Blocking<R> = 0 extends 1 & R
  ? unknown
  : [R] extends [never]
    ? unknown
    : [R] extends [PromiseLike<unknown>]
      ? "An async function needs no thread: call it, or declare it with onLoop() or task()."
      : [R] extends [AsyncIterable<unknown>]
        ? "An async generator needs no thread: iterate over it directly."
        : unknown;

/** A function that runs in another thread whenever it is called. `O`: what `.with()` takes. */
export interface ThreadedFunction<A extends unknown[], R, O> {
  /** Runs it over there. Never blocks; await the future, or block on its `result()`. */
  (...args: A): TaskFuture<Awaited<R>>;
  /** The same, by a name that says so. */
  asyncCall(...args: A): TaskFuture<Awaited<R>>;
  /** Runs it right here, in this thread, which it blocks. */
  syncCall(...args: A): R;
  /** The call without running it, for `submitTask`. */
  call(...args: A): TaskCall<Awaited<R>>;
  /** The same function with options for its calls. */
  with(options: O): ThreadedFunction<A, R, O>;
  readonly name: string;
  /** The task behind it. */
  readonly task: Task<A, Awaited<R>>;
}

export type Threaded<A extends unknown[], R> = ThreadedFunction<A, R, ThreadedOptions>;
export type ThreadedSeparate<A extends unknown[], R> = ThreadedFunction<A, R, SeparateOptions>;

/** A body that runs in another thread, read here item by item. `O`: what `.with()` takes. */
export interface ThreadedIterableFunction<A extends unknown[], T, O> {
  /** Makes an iterator. Nothing runs before its first `next()`. */
  (...args: A): ThreadedIterator<T>;
  asyncCall(...args: A): ThreadedIterator<T>;
  /** What the body itself returns, in this thread: a generator, a list. */
  syncCall(...args: A): Iterable<T>;
  /** The call without running it, for an `IteratorWrapper`. */
  call(...args: A): TaskCall<Iterable<T>>;
  with(options: O & IterableOptions): ThreadedIterableFunction<A, T, O>;
  readonly name: string;
  readonly task: Task<A, Iterable<T>>;
}

export type ThreadedIterable<A extends unknown[], T> = ThreadedIterableFunction<A, T, ThreadedOptions>;
export type ThreadedIterableSeparate<A extends unknown[], T> = ThreadedIterableFunction<A, T, SeparateOptions>;

/** Any function, where only its kind matters. */
export type AnyFunction = (...args: never[]) => unknown;

/** @throws TypeError for what awaits by itself. */
export function refuseAsync(fn: unknown, where: string): void {
  if (typeof fn !== "function")
    throw new TypeError(`${where} expected a function, got ${fn === null ? "null" : typeof fn}.`);
  const named = fn.name === "" ? "" : ` ${fn.name}`;
  // util.types asks V8 itself, so that neither a minifier nor another realm confuses it.
  if (types.isGeneratorFunction(fn) && types.isAsyncFunction(fn)) {
    throw new TypeError(
      `${where} was given an async generator${named}. It needs no thread: iterate over it directly, or write a plain generator that blocks.`,
    );
  }
  if (types.isAsyncFunction(fn)) {
    throw new TypeError(
      `${where} was given an async function${named}. It needs no thread: call it, declare it with onLoop() to run it from a thread, or with task() to submit it to a loop.`,
    );
  }
}

export function isGenerator(fn: AnyFunction): boolean {
  return types.isGeneratorFunction(fn);
}

const bodies = new WeakMap<object, Task<unknown[], Iterable<unknown>>>();

/** The task behind a threaded iterable, if `value` is one. */
export function bodyOf(value: unknown): Task<unknown[], Iterable<unknown>> | undefined {
  return typeof value === "function" ? bodies.get(value) : undefined;
}

/** Makes a call of what was declared. A task does; so does a method, which adds its object. */
export type CallMaker<A extends unknown[], R> = ((...args: A) => TaskCall<R>) & { readonly name: string };

export function makeThreaded<A extends unknown[], R, O>(
  task: CallMaker<A, Awaited<R>>,
  fn: (...args: A) => R,
  place: Place,
  where: string,
): ThreadedFunction<A, R, O> {
  const run = (...args: A): TaskFuture<Awaited<R>> => submitTo(place, task(...args), run);
  return dress(run, task, {
    asyncCall: run,
    syncCall: (...args: A) => fn(...args),
    call: (...args: A) => task(...args),
    with: (options: O & object) => makeThreaded<A, R, O>(task, fn, placeWith(place, options, `${where}.with`), where),
  }) as ThreadedFunction<A, R, O>;
}

export function makeIterable<A extends unknown[], T, O>(
  task: CallMaker<A, Iterable<T>>,
  fn: (...args: A) => Iterable<T>,
  place: Place,
  options: IterableOptions,
  where: string,
): ThreadedIterableFunction<A, T, O> {
  const settings = checkIterable(options, where);
  const run = (...args: A): ThreadedIterator<T> =>
    new ThreadedIterator<T>(task(...args) as TaskCall<unknown>, place, settings);
  const made = dress(run, task, {
    asyncCall: run,
    syncCall: (...args: A) => fn(...args),
    call: (...args: A) => task(...args),
    with({ maxSize = options.maxSize, closeTimeoutMs = options.closeTimeoutMs, ...rest }: O & IterableOptions) {
      const there = placeWith(place, rest, `${where}.with`, ITERABLE_OPTIONS);
      return makeIterable<A, T, O>(task, fn, there, { maxSize, closeTimeoutMs }, where);
    },
  });
  bodies.set(made, task as unknown as Task<unknown[], Iterable<unknown>>);
  return made as ThreadedIterableFunction<A, T, O>;
}

/** Puts the methods and the name of the declared function onto what stands for it. */
function dress(run: AnyFunction, task: { readonly name: string }, methods: object): AnyFunction {
  Object.assign(run, methods, { task });
  Object.defineProperty(run, "name", { value: task.name, configurable: true });
  return run;
}
