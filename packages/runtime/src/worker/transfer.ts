import type { Transferable } from "node:worker_threads";
import { threadWide } from "../thread/shared-state.ts";

const lists = (): WeakMap<object, readonly Transferable[]> => threadWide("transfer-lists", () => new WeakMap());

/**
 * Marks what a task's result moves to the other thread instead of copying it: `return transfer(pixels, [pixels.buffer])`.
 * For arguments, `submitTask` has the option `transfer`. The name is comlink's.
 */
export function transfer<T extends object>(value: T, list: readonly Transferable[]): T {
  lists().set(value, list);
  return value;
}

/** What {@link transfer} said about a value. */
export function transferListOf(value: unknown): readonly Transferable[] {
  if (typeof value !== "object" || value === null) return [];
  return lists().get(value) ?? [];
}
