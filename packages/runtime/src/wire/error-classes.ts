/** Which classes of error a thread knows by name, so that an error arrives as what it was. */
import { AssertionError } from "node:assert";
import * as ownErrors from "../errors.ts";
import { threadWide } from "../thread/shared-state.ts";

type ErrorClass = new (...args: never[]) => Error;

interface Registry {
  readonly byName: Map<string, ErrorClass>;
  readonly byPrototype: Map<object, string>;
  /** Errors whose class this thread did not know: the names they came with, for when they travel on. */
  readonly origins: WeakMap<object, readonly string[]>;
}

const registry: Registry = threadWide("error-classes", () => ({
  byName: new Map(),
  byPrototype: new Map(),
  origins: new WeakMap(),
}));

/**
 * Makes a class of errors keep its class when one of its errors crosses threads. To be called in every thread the error
 * shall be known in, so best at the top of the module that declares the class.
 *
 * The error is rebuilt without calling the constructor: its fields are there, what the constructor keeps in `#private`
 * fields is not.
 *
 * @param name what the class is called on the wire, where its own name is not unique; default `cls.name`.
 * @throws TypeError if `cls` is not a class of errors, or has no name and was given none.
 * @example
 * class OutOfStock extends Error {
 *   readonly sku: string;
 *   constructor(sku: string) {
 *     super(`${sku} is out of stock`);
 *     this.sku = sku;
 *   }
 * }
 * registerErrorClass(OutOfStock);
 */
export function registerErrorClass(cls: ErrorClass, name: string = cls.name): void {
  if (typeof cls !== "function" || !(cls === Error || cls.prototype instanceof Error)) {
    throw new TypeError(
      `registerErrorClass expected a class that extends Error, got ${typeof cls === "function" ? `"${cls.name}"` : String(cls)}.`,
    );
  }
  if (typeof name !== "string" || name === "") {
    throw new TypeError(
      "registerErrorClass expected a class with a name. Name the class, or pass a name as the second argument.",
    );
  }
  keep(cls, name);
}

function keep(cls: ErrorClass, name: string): void {
  registry.byName.set(name, cls);
  registry.byPrototype.set(cls.prototype as object, name);
}

const builtIn = new Set<string>();
const { SuppressedError, WebAssembly } = globalThis as {
  SuppressedError?: ErrorClass;
  WebAssembly?: Record<"CompileError" | "LinkError" | "RuntimeError", ErrorClass>;
};
for (const cls of [
  Error,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
  AggregateError,
  DOMException,
  AssertionError,
  SuppressedError,
  WebAssembly?.CompileError,
  WebAssembly?.LinkError,
  WebAssembly?.RuntimeError,
] as (ErrorClass | undefined)[]) {
  if (cls === undefined) continue; // SuppressedError came with Node 24; --jitless has no WebAssembly
  keep(cls, cls.name); // unasked: in a test sandbox they extend another realm's Error
  builtIn.add(cls.name);
}
for (const cls of Object.values(ownErrors) as unknown[]) {
  // By the name on the prototype: a minifier may have changed the class's own.
  if (typeof cls === "function" && cls.prototype instanceof Error)
    registerErrorClass(cls as ErrorClass, cls.prototype.name);
}

/** The registered names in `error`'s prototype chain, nearest first. */
export function classNamesOf(error: object): readonly string[] {
  const origin = registry.origins.get(error);
  if (origin !== undefined) return origin;
  const names: string[] = [];
  let prototype = Object.getPrototypeOf(error) as object | null;
  while (prototype !== null && prototype !== Object.prototype) {
    const name = registry.byPrototype.get(prototype) ?? builtInOfAnotherRealm(prototype);
    if (name !== undefined) names.push(name);
    prototype = Object.getPrototypeOf(prototype) as object | null;
  }
  return names;
}

/**
 * An error object of the first class this thread knows among `names`, made without running user code. Where the first
 * is not known here, the error remembers it and takes it along when it travels on.
 */
export function instantiate(names: readonly string[], name: string, message: string): Error {
  const known = names.find((each) => registry.byName.has(each)) ?? "Error";
  // Its `name` and `message` are read from inside, so this one class must be constructed; its constructor is Node's.
  if (known === "DOMException") return new DOMException(message, name);
  const error = new Error(message);
  const cls = registry.byName.get(known) ?? Error;
  if (cls !== Error) Object.setPrototypeOf(error, cls.prototype as object);
  if (known !== names[0]) registry.origins.set(error, names);
  return error;
}

/** Errors from `node:vm` and test sandboxes have built-in classes too, only not ours. */
function builtInOfAnotherRealm(prototype: object): string | undefined {
  const name: unknown = Object.getOwnPropertyDescriptor(prototype, "name")?.value;
  const own: unknown = Object.getOwnPropertyDescriptor(prototype, "constructor")?.value;
  return typeof name === "string" && builtIn.has(name) && typeof own === "function" && own.name === name
    ? name
    : undefined;
}
