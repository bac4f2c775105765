/** The name, for people, of an object that structured clone refuses: "a Promise", "a function (save)". */
import { types } from "node:util";
import { isPlainPrototype } from "./special-kinds.ts";

/**
 * `undefined` if the object itself (not what it holds) can be cloned. `proven` remembers the prototypes of objects
 * that were tried, so that one of each class is tried and not every one of a thousand rows.
 */
export function nameUncloneable(value: object, proven: Set<unknown>): string | undefined {
  if (types.isProxy(value)) return typeof value === "function" ? "a Proxy of a function" : "a Proxy";
  if (typeof value === "function") return nameFunction(value);
  if (Array.isArray(value)) return undefined;
  if (types.isPromise(value)) return "a Promise";
  if (types.isWeakMap(value)) return "a WeakMap";
  if (types.isWeakSet(value)) return "a WeakSet";
  if (types.isGeneratorObject(value)) return "a generator object";
  if (types.isModuleNamespaceObject(value)) return "a module namespace object";
  if (types.isSymbolObject(value)) return "a symbol";
  if (types.isArrayBuffer(value)) return isDetached(value) ? "a detached (already transferred) ArrayBuffer" : undefined;
  if (ArrayBuffer.isView(value)) {
    return isDetached(value.buffer)
      ? `${withArticle(nameClass(value))} on a detached (already transferred) ArrayBuffer`
      : undefined;
  }
  if (types.isMap(value) || types.isSet(value) || types.isNativeError(value)) return undefined;
  return nameHostObject(value, proven);
}

function nameFunction(value: object): string {
  const own = Object.getOwnPropertyDescriptor(value, "name")?.value as unknown;
  const name = typeof own === "string" && own !== "" ? own : "anonymous";
  return /^class\b/.test(Function.prototype.toString.call(value)) ? `a class (${name})` : `a function (${name})`;
}

/** Objects with a native side (handles, Intl formats, iterators, WeakRef) can only be told by trying. */
function nameHostObject(value: object, proven: Set<unknown>): string | undefined {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (isPlainPrototype(prototype as object | null)) {
    return Object.prototype.toString.call(value) === "[object Arguments]" ? "an arguments object" : undefined;
  }
  // What holds objects cannot be tried alone: its parts are looked at in their own turn.
  if (proven.has(prototype) || holdsReferences(value)) return undefined;
  try {
    structuredClone(value);
    proven.add(prototype);
    return undefined;
  } catch (error) {
    const untransferred = error instanceof Error && /transfer/i.test(error.message);
    return `${withArticle(nameClass(value))}${untransferred ? " that is not in the transfer list" : ""}`;
  }
}

function holdsReferences(value: object): boolean {
  return Object.values(Object.getOwnPropertyDescriptors(value)).some(
    (field) =>
      field.enumerable === true &&
      (field.get !== undefined || Object(field.value) === field.value || typeof field.value === "symbol"),
  );
}

function withArticle(name: string): string {
  return `${/^[AEIO]/i.test(name) ? "an" : "a"} ${name}`;
}

function nameClass(value: object): string {
  try {
    const name: unknown = (value as { constructor?: { name?: unknown } }).constructor?.name;
    if (typeof name === "string" && name !== "" && name !== "Object") return name;
  } catch {
    // a getter of its own: fall through to what the language calls it
  }
  return Object.prototype.toString.call(value).slice("[object ".length, -1);
}

function isDetached(buffer: ArrayBufferLike): boolean {
  if (types.isSharedArrayBuffer(buffer) || buffer.byteLength !== 0) return false;
  // `buffer.detached` is not there before Node 22. Cloning nothing is cheap.
  try {
    structuredClone(buffer);
    return false;
  } catch {
    return true;
  }
}
