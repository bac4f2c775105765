import type { TaskCall } from "@duck-ts/runtime";
import {
  type AnyFunction,
  type CallMaker,
  isGenerator,
  makeIterable,
  makeThreaded,
  refuseAsync,
  type ThreadedFunction,
  type ThreadedIterableFunction,
} from "./declaration.ts";
import { type Place, placeOf, type SeparateOptions, type ThreadedOptions } from "./executor.ts";
import { originalOf, type RegisteredClass, registeredClassOf, selfOf } from "./registered-classes.ts";

/** The methods of `T` as they look from here: each runs in another thread. Async methods are left out. */
export type InThread<T, O = ThreadedOptions> = {
  readonly [K in keyof T as T[K] extends AnyFunction
    ? ReturnType<T[K]> extends PromiseLike<unknown>
      ? never
      : K
    : never]: T[K] extends (...args: infer A) => infer R
    ? R extends Generator<infer E, unknown, unknown>
      ? ThreadedIterableFunction<A, E, O>
      : ThreadedFunction<A, R, O>
    : never;
};

type Methods = Record<string, AnyFunction>;

const pooled = new WeakMap<object, Methods>();
const separate = new WeakMap<object, Methods>();

/**
 * The methods of an object, or the static ones of a class, to be run in another thread: `await inThread(account).sum()`.
 * The class was registered with `registerClass`. The object is copied at each call, so the method sees it as it is then;
 * what the method changes stays over there.
 *
 * A method taken from it is the same function every time: `inThread(a).sum === inThread(a).sum`.
 *
 * @throws TaskDeclarationError if the object's class was not registered.
 * @throws TypeError, when a method is taken, for what is no method, or an async one.
 * @example
 * ```ts run
 * import { inThread, registerClass } from "@duck-ts/managers";
 *
 * class MyClass {
 *   value: number;
 *   constructor(value: number) {
 *     this.value = value;
 *   }
 *   instanceMethod() {
 *     return this.value;
 *   }
 *   static staticMethod(x: number) {
 *     return x * 2;
 *   }
 * }
 * registerClass(MyClass);
 *
 * console.log(await inThread(new MyClass(42)).instanceMethod(), await inThread(MyClass).staticMethod(21));
 * ```
 * ```text output
 * 42 42
 * ```
 */
export function inThread<T extends object>(
  target: T,
  options?: ThreadedOptions & { readonly separate?: false },
): InThread<T>;
export function inThread<T extends object>(
  target: T,
  options: SeparateOptions & { readonly separate: true },
): InThread<T, SeparateOptions>;
export function inThread(
  target: object,
  options: (ThreadedOptions | SeparateOptions) & { readonly separate?: boolean } = {},
): unknown {
  if ((typeof target !== "object" && typeof target !== "function") || target === null)
    throw new TypeError(`inThread() expected an object or a class, got ${target === null ? "null" : typeof target}.`);
  const { separate: alone = false, ...rest } = options;
  const place = placeOf(alone, rest, "inThread");
  const known = registeredClassOf(target);
  if (Object.keys(rest).length > 0) return methodsOf(target, known, place);
  const cache = alone ? separate : pooled;
  const cached = cache.get(target) ?? methodsOf(target, known, place);
  cache.set(target, cached);
  return cached;
}

function methodsOf(target: object, known: RegisteredClass, place: Place): Methods {
  const taken: Methods = Object.create(null) as Methods;
  return new Proxy(taken, {
    get(_taken, key) {
      // `then`, so that awaiting it by mistake does not run a method.
      if (typeof key === "symbol" || key === "then") return undefined;
      taken[key] ??= methodOf(target, known, key, place);
      return taken[key];
    },
    set: () => false,
  });
}

function methodOf(target: object, known: RegisteredClass, key: string, place: Place): AnyFunction {
  const found: unknown = Reflect.get(target, key);
  if (typeof found !== "function")
    throw new TypeError(
      `${known.cls.name} has no method ${JSON.stringify(key)}${found === undefined ? "" : `: it is a ${typeof found}`}.`,
    );
  const original = originalOf(found as (...args: unknown[]) => unknown);
  refuseAsync(original, `inThread(...).${key}`);
  return makeMethod(known, () => target, key, original, place) as unknown as AnyFunction;
}

function makeMethod(
  known: RegisteredClass,
  target: () => object,
  key: string,
  original: (...args: unknown[]) => unknown,
  place: Place,
): object {
  const call = (...args: unknown[]): TaskCall<unknown> => known.task(selfOf(known, target()), key, args);
  Object.defineProperty(call, "name", { value: key });
  const here = (...args: unknown[]): unknown => original.apply(target(), args);
  if (isGenerator(original as AnyFunction))
    return makeIterable(
      call as CallMaker<unknown[], Iterable<unknown>>,
      here as (...args: unknown[]) => Iterable<unknown>,
      place,
      {},
      key,
    );
  return makeThreaded(call, here, place, key);
}
