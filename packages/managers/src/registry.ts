/** Which managers this thread knows: its own, and those it has found at its ancestors. */

import { getParentThread, type ThreadInfo } from "@duck-ts/runtime";
import { currentThread, REGISTRY_VERSION, rootShared, threadWide } from "@duck-ts/runtime/internal";
import type { Manager } from "./manager.ts";
import type { Asked, Kind, ManagerId } from "./protocol.ts";
import { ask } from "./service-client.ts";
import { nameOf } from "./supervisor/records.ts";

/** A manager in a registry: no handle, but what can be told of it. */
export interface ManagerInfo {
  readonly id: ManagerId | undefined;
  readonly kind: Kind;
  readonly owner: ThreadInfo;
}

type Cached = { readonly manager: Manager; readonly version: number };

type Known = { readonly own: Map<string, Manager>; readonly inherited: Map<string, Cached> };

/** This thread's own managers, and those it has inherited, by kind and id. */
export function known(): Known {
  return threadWide("known-managers", () => ({ own: new Map(), inherited: new Map() }));
}

/** Grows whenever any manager of the process is made or forgotten; until then what was found stays true. */
export function registryVersion(): number {
  return Atomics.load(rootShared().words, REGISTRY_VERSION);
}

export function bumpRegistry(): void {
  Atomics.add(rootShared().words, REGISTRY_VERSION, 1);
}

/** Each thread of the lineage with the ids it has, all the way up or to the first that has `id`. */
export function askLineage(kind: Kind, id: ManagerId | undefined): Asked[] {
  if (getParentThread() === null) {
    const self = currentThread();
    const mine = [...known().own.values()].filter((manager) => manager.kind === kind);
    return [{ thread: self, ids: mine.map((manager) => manager.id), found: known().own.has(nameOf(kind, id)) }];
  }
  return ask<Asked[]>({ op: "explain", kind, id });
}

/** Thread id -> manager id -> info, for the current thread and its ancestors. */
export function registryOf(kind: Kind): ReadonlyMap<number, ReadonlyMap<ManagerId | undefined, ManagerInfo>> {
  const threads = new Map<number, ThreadInfo>();
  for (let at: ThreadInfo | null = currentThread(); at !== null; at = at.parent) threads.set(at.id, at);
  const all = new Map<number, Map<ManagerId | undefined, ManagerInfo>>();
  // Asking for an id that nobody can have makes the answer go up to the root.
  for (const { thread, ids } of askLineage(kind, NOBODYS_ID)) {
    const owner = threads.get(thread.id);
    if (owner === undefined || ids.length === 0) continue;
    all.set(thread.id, new Map(ids.map((id) => [id, { id, kind, owner }])));
  }
  return all;
}

const NOBODYS_ID = "\u0000nobody";
