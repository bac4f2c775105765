/**
 * The kinds of object that structured clone would mangle or refuse and that therefore cross in their own way: errors,
 * futures, tasks, channels, signals. The registry belongs to the thread, so that two copies of the runtime agree.
 */
import { types } from "node:util";
import type { Transferable } from "node:worker_threads";
import { threadWide } from "../thread/shared-state.ts";

/** One kind of object and how it crosses. */
export interface SpecialKind {
  /** Names the kind on the wire. Both threads must know it. */
  readonly tag: string;
  /**
   * Asked about functions and about objects whose prototype is not `Object.prototype` or null: never about plain ones.
   * The answer for an object must be that for its whole class: not every instance is asked about.
   */
  is(value: object): boolean;
  /**
   * What crosses instead of `value`: plain data, which may hold special values again (they are encoded too, cycles
   * included). Objects that must be transferred are pushed onto `transfer`.
   */
  encode(value: object, transfer: Transferable[]): unknown;
  /** The value, rebuilt in the receiving thread. */
  decode(payload: unknown): unknown;
  /**
   * For kinds whose payload may lead back to the value itself (an error whose field holds what holds the error):
   * `decode` then makes a hollow value without looking into the payload's references, and `fill` completes it.
   */
  fill?(made: unknown, payload: unknown): void;
  /** For kinds that never cross, as structured clone would make `{}` of them: what to say. Nothing is encoded then. */
  refuses?(value: object): Refusal;
}

interface Refusal {
  /** `an AbortSignal`. */
  readonly found: string;
  /** What to do instead: whole sentences. */
  readonly advice: string;
}

/** One special value on the wire: its payload, and every place of the posted value where it belongs. */
export interface SpecialSlot {
  readonly tag: string;
  payload: unknown;
  /** Container, key, container, key, ... by identity, so they must cross in the same message. `null`: the root. */
  readonly at: readonly unknown[];
}

/** What to post: both parts in ONE message, since `specials` points into `value` by identity. */
export interface Encoded {
  readonly value: unknown;
  /** `undefined`: nothing to revive, and `value` is the very value that was given. */
  readonly specials: readonly SpecialSlot[] | undefined;
}

interface Registry {
  readonly byTag: Map<string, SpecialKind>;
  /** Latest registration first: who comes later may be more specific than the error kind, which claims every Error. */
  order: readonly SpecialKind[];
}

const registry: Registry = threadWide("special-kinds", () => ({ byTag: new Map(), order: [] }));

/** Makes a kind known in this thread. The last registration of a tag wins. */
export function registerSpecialKind(kind: SpecialKind): void {
  registry.byTag.set(kind.tag, kind);
  registry.order = [kind, ...registry.order.filter((known) => known.tag !== kind.tag)];
}

/** The kind that claims `value`, if one does. */
export function kindOf(value: object): SpecialKind | undefined {
  for (const kind of registry.order) if (kind.is(value)) return kind;
  return undefined;
}

/** The kind registered in this thread under `tag`. */
export function kindByTag(tag: string): SpecialKind | undefined {
  return registry.byTag.get(tag);
}

/** Whether `prototype` is that of a plain object, those of another realm (`node:vm`, a test runner's sandbox) included. */
export function isPlainPrototype(prototype: object | null): boolean {
  if (prototype === Object.prototype || prototype === null) return true;
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, "isPrototypeOf");
}

/**
 * Whether structured clone handles `value` by its inner state instead of its own fields, so that there is nothing in
 * it to walk. Map and Set are not among them.
 */
export function isOpaque(value: object): boolean {
  return (
    ArrayBuffer.isView(value) ||
    types.isAnyArrayBuffer(value) ||
    types.isDate(value) ||
    types.isRegExp(value) ||
    types.isBoxedPrimitive(value) ||
    types.isProxy(value)
  );
}
