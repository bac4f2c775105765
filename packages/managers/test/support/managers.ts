/** Managers that a test starts and that are stopped when it is over, each with an id of its own. */
import {
  getOrCreateLoopManager,
  getOrCreateThreadManager,
  type LoopManager,
  type LoopStartOptions,
  type PoolStartOptions,
  type ThreadPoolManager,
} from "@duck-ts/managers";
import { onTestFinished } from "vitest";

export const quiet = { logException: false } as const;

export type Kind = "loop" | "thread";
export const kinds: readonly Kind[] = ["loop", "thread"];

let ids = 0;

/** An id that no other test of this file uses. */
export function freshId(name = "test"): string {
  ids += 1;
  return `${name}-${ids}`;
}

export function startPool(
  options: Partial<PoolStartOptions> & { readonly id?: string } = {},
): ThreadPoolManager & { readonly id: string } {
  const { id = freshId("pool"), ...start } = options;
  const pool = getOrCreateThreadManager(id).start({ maxWorkers: 1, abortGraceMs: 50, ...start });
  onTestFinished(async () => void (await pool.stop({ wait: false, timeoutMs: 0 })));
  return pool as ThreadPoolManager & { readonly id: string };
}

export function startLoop(
  options: LoopStartOptions & { readonly id?: string } = {},
): LoopManager & { readonly id: string } {
  const { id = freshId("loop"), ...start } = options;
  const loop = getOrCreateLoopManager(id).start({ abortGraceMs: 50, ...start });
  onTestFinished(async () => void (await loop.stop({ wait: false, timeoutMs: 0 })));
  return loop as LoopManager & { readonly id: string };
}

export function start(kind: "loop", options?: LoopStartOptions): LoopManager & { readonly id: string };
export function start(kind: "thread", options?: Partial<PoolStartOptions>): ThreadPoolManager & { readonly id: string };
export function start(
  kind: Kind,
  options?: LoopStartOptions & Partial<PoolStartOptions>,
): (LoopManager | ThreadPoolManager) & { readonly id: string };
export function start(
  kind: Kind,
  options: LoopStartOptions & Partial<PoolStartOptions> = {},
): (LoopManager | ThreadPoolManager) & { readonly id: string } {
  return kind === "loop" ? startLoop(options) : startPool(options);
}
