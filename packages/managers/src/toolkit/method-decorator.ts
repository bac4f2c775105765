/** `threaded` and `threadedSeparate` as decorators of methods: standard ones, and TypeScript's older `experimentalDecorators`. */
import type { TaskFuture } from "@duck-ts/runtime";
import { type AnyFunction, refuseAsync } from "./declaration.ts";
import { inThread } from "./in-thread.ts";
import { keepOriginal } from "./registered-classes.ts";
import type { ThreadedIterator } from "./threaded-iterator.ts";

/** What a standard decorator is given beside a method. */
export interface MethodContext {
  readonly kind: "method";
  readonly name: string | symbol;
  readonly private: boolean;
}

/**
 * A method that runs in another thread. A decorator cannot change what a method's declaration says, so that has to allow
 * for both: `sum(): number | TaskFuture<number>`, `*rows(): Generator<Row> | ThreadedIterator<Row>`.
 */
export type ThreadedMethod<This, A extends unknown[], R> = (
  this: This,
  ...args: A
) => [Extract<R, AnyGenerator>] extends [never]
  ? TaskFuture<Awaited<R>>
  : ThreadedIterator<ItemOf<Extract<R, AnyGenerator>>>;

type AnyGenerator = Generator<unknown, unknown, unknown>;
type ItemOf<G> = G extends Generator<infer T, unknown, unknown> ? T : never;

export function isMethodContext(value: unknown): value is MethodContext {
  return (
    typeof value === "object" &&
    value !== null &&
    (value as Partial<MethodContext>).kind === "method" &&
    "addInitializer" in value
  );
}

/** What an older decorator is given as the third, beside the prototype (or the class, of a static method) and the name. */
export function isMethodDescriptor(value: unknown): value is PropertyDescriptor {
  return typeof value === "object" && value !== null && typeof (value as PropertyDescriptor).value === "function";
}

/** As {@link decorateMethod}, in the place where the method is described. */
export function decorateDescriptor(
  descriptor: PropertyDescriptor,
  name: unknown,
  decorator: "threaded" | "threadedSeparate",
): void {
  descriptor.value = decorateMethod(descriptor.value, { name: name as string | symbol, private: false }, decorator);
}

/** Stands for `inThread(this).method(...)`. */
export function decorateMethod(
  method: unknown,
  { name, private: isPrivate }: Pick<MethodContext, "name" | "private">,
  decorator: "threaded" | "threadedSeparate",
): AnyFunction {
  refuseAsync(method, `${decorator}()`);
  if (isPrivate || typeof name === "symbol")
    throw new TypeError(
      `A threaded method needs a public name that is a string; ${String(name)} cannot be found from another thread.`,
    );
  const replacement = function (this: object, ...args: unknown[]): unknown {
    const methods = (decorator === "threadedSeparate"
      ? inThread(this, { separate: true })
      : inThread(this)) as unknown as Record<string, (...given: unknown[]) => unknown>;
    return methods[name]?.(...args);
  };
  Object.defineProperty(replacement, "name", { value: name, configurable: true });
  keepOriginal(replacement, method as (...args: unknown[]) => unknown);
  return replacement;
}
