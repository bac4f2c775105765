/** How an Error crosses whole, wherever in a value it stands. Its cause, its errors and its fields are walked like any value. */
import { inspect, types } from "node:util";
import type { Transferable } from "node:worker_threads";
import { findNotCloneable } from "./clone-path.ts";
import { classNamesOf, instantiate } from "./error-classes.ts";
import { stackToSend } from "./error-stack.ts";
import type { SpecialKind } from "./special-kinds.ts";
import { isReference } from "./value-shape.ts";

/** An error as plain data. */
export interface ErrorPayload {
  /** The registered names in its prototype chain, nearest first: the receiver takes the first it knows. */
  readonly classes: readonly string[];
  readonly name: string;
  readonly message: string;
  readonly code: string | number | undefined;
  readonly stack: string;
  /** Own enumerable fields. */
  readonly fields: Readonly<Record<string, unknown>> | undefined;
  /** Own fields that are not enumerable: `cause`, `errors`, what a library hides. */
  readonly hidden: Readonly<Record<string, unknown>> | undefined;
}

/** As the transfer list: nothing can be transferred, so no kind but errors can be relied on. */
export const nothingTransfers: Transferable[] = [];

export const errorKind: SpecialKind = {
  tag: "Error",
  is: isError,
  encode: (error, transfer) => describeError(error, (value) => crosses(value, transfer)),
  decode(payload) {
    const { classes, name, message, stack } = payload as ErrorPayload;
    const error = instantiate(classes, name, message);
    define(error, "stack", stack, false);
    return error;
  },
  fill(made, payload) {
    const { fields, hidden, name, message, code } = payload as ErrorPayload;
    for (const [key, value] of Object.entries(hidden ?? {})) define(made as Error, key, value, false);
    for (const [key, value] of Object.entries(fields ?? {})) define(made as Error, key, value, true);
    // Often the class itself answers the right name, as DuckError's getter does; an own field would only shadow it.
    for (const [key, value] of [
      ["name", name],
      ["message", message],
      ["code", code],
    ] as const) {
      if (value !== undefined && read(made as Error, key) !== value) define(made as Error, key, value, false);
    }
  },
};

/** Errors of this realm and others, and what only inherits from one (`Object.create(Error.prototype)`, DOMException). */
export function isError(value: unknown): value is Error {
  try {
    return types.isNativeError(value) || value instanceof Error;
  } catch {
    return false; // a proxy that is revoked, or whose trap throws
  }
}

/** `error` as data. Reads, never throws, never changes it. Fields that `crosses` denies become their `util.inspect` text. */
export function describeError(error: object, crosses: (value: unknown) => boolean): ErrorPayload {
  const name = text(read(error, "name")) ?? "Error";
  const message = text(read(error, "message")) ?? "";
  const code = read(error, "code");
  const fields: Record<string, unknown> = {};
  const hidden: Record<string, unknown> = {};
  for (const key of attempt(() => Object.getOwnPropertyNames(error)) ?? []) {
    if (key === "stack" || (key === "message" && read(error, key) === message && !isEnumerable(error, key))) continue;
    let value: unknown;
    try {
      value = (error as Record<string, unknown>)[key];
    } catch (thrown) {
      value = `[getter threw ${describe(thrown)}]`;
    }
    const own = isEnumerable(error, key) ? fields : hidden;
    const whole = !(isReference(value) || typeof value === "symbol") || crosses(value);
    // A text in place of toString() would break printing the error, and a hidden function is no news to anyone.
    if (!whole && typeof value === "function" && ((own === hidden && key !== "cause") || key in Object.prototype))
      continue;
    define(own, key, whole ? value : describe(value), true);
  }
  return {
    classes: attempt(() => classNamesOf(error)) ?? [],
    name,
    message,
    code: typeof code === "string" || typeof code === "number" ? code : undefined,
    stack: stackToSend(read(error, "stack"), name, message),
    fields: Object.keys(fields).length === 0 ? undefined : fields,
    hidden: Object.keys(hidden).length === 0 ? undefined : hidden,
  };
}

/** What `util.inspect` says of a value, of a bounded length. Never throws. */
export function describe(value: unknown): string {
  const said =
    attempt(() => inspect(value, { depth: 2 })) ??
    attempt(() => Object.prototype.toString.call(value)) ??
    "[unprintable]";
  return said.length > 8_192 ? `${said.slice(0, 8_192)}...` : said;
}

function crosses(value: unknown, transfer: Transferable[]): boolean {
  const claimed = transfer === nothingTransfers ? (tag: string): boolean => tag === errorKind.tag : (): boolean => true;
  const { culprit, exhausted, depth } = findNotCloneable(value, "", [], claimed);
  return culprit === undefined && !exhausted && depth < 1_000;
}

function read(error: object, key: string): unknown {
  return attempt(() => (error as Record<string, unknown>)[key]);
}

function attempt<T>(get: () => T): T | undefined {
  try {
    return get();
  } catch {
    return undefined;
  }
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : value === undefined ? undefined : describe(value);
}

function isEnumerable(object: object, key: string): boolean {
  return attempt(() => Object.prototype.propertyIsEnumerable.call(object, key)) ?? false;
}

function define(object: object, key: string, value: unknown, enumerable: boolean): void {
  Object.defineProperty(object, key, { value, enumerable, writable: true, configurable: true });
}
