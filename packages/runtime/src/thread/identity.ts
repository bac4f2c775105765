import { randomUUID } from "node:crypto";
import * as workerThreads from "node:worker_threads";
import { getEnvironmentData, isMainThread, setEnvironmentData, threadId, workerData } from "node:worker_threads";
import { threadWide } from "./shared-state.ts";

/** What a thread is for. `foreign`: a `new Worker()` made by user code or a library, not by duck-ts. */
export type ThreadKind = "main" | "supervisor" | "request" | "pool" | "loop" | "separate" | "foreign";

/**
 * A thread and, through `parent`, its ancestors. `parent` is the thread whose code asked for this one, whichever thread
 * physically spawned it; `null` for a root. `id` is Node's `threadId`, never used twice in a process.
 *
 * The idea is `get_parent_thread` of Duck (`duck.utils.threading.patch`).
 */
export interface ThreadInfo {
  readonly id: number;
  readonly name: string;
  readonly kind: ThreadKind;
  readonly parent: ThreadInfo | null;
}

/** A thread as it travels: its ancestors beside it, nearest first, instead of nested. */
export type ThreadLink = { readonly id: number; readonly name: string; readonly kind: ThreadKind };

/** What all threads below one root share. `words` is shared memory; see the word names below. */
export type RootShared = { readonly id: string; readonly words: Int32Array };

/** Words of `RootShared.words`: all of them, those of higher packages too, so that no two share one. */
export const SUPERVISOR_STATE = 0;
export const REGISTRY_VERSION = 1;
/** Whether somebody makes the process's default pool, or has made it; see toolkit/current-pool.ts of the managers. */
export const DEFAULT_POOL_STATE = 2;
/** The first of eight words; see future/spinning.ts. */
export const SPIN_LEASES = 8;

/** What a thread made by duck-ts finds in its `workerData`. */
export type CarriedIdentity = {
  readonly name: string;
  readonly kind: ThreadKind;
  readonly ancestors: readonly ThreadLink[];
  readonly root: RootShared;
};

/** What every thread leaves for Workers that somebody else makes from it, through Node's environment data. */
type Heirloom = { readonly ancestors: readonly ThreadLink[]; readonly root: RootShared };

/** The key under which duck-ts carries the lineage, in `workerData` and in the environment data alike. */
export const LINEAGE_KEY = "@duck-ts/runtime:lineage@1";

type Identity = { info: ThreadInfo; root: RootShared };

function carriedInWorkerData(): CarriedIdentity | undefined {
  const data: unknown = workerData;
  if (typeof data !== "object" || data === null) return undefined;
  return (data as Record<string, CarriedIdentity | undefined>)[LINEAGE_KEY];
}

function chain(link: ThreadLink, ancestors: readonly ThreadLink[]): ThreadInfo {
  let parent: ThreadInfo | null = null;
  for (let i = ancestors.length - 1; i >= 0; i--) {
    const above = ancestors[i] as ThreadLink;
    parent = Object.freeze({ id: above.id, name: above.name, kind: above.kind, parent });
  }
  return Object.freeze({ id: link.id, name: link.name, kind: link.kind, parent });
}

/** The thread and its ancestors as plain links, the thread first. */
export function lineageLinks(thread: ThreadInfo): ThreadLink[] {
  const links: ThreadLink[] = [];
  for (let at: ThreadInfo | null = thread; at !== null; at = at.parent)
    links.push({ id: at.id, name: at.name, kind: at.kind });
  return links;
}

/** A `ThreadInfo` from links, the thread first. */
export function threadFromLinks(links: readonly ThreadLink[]): ThreadInfo {
  return chain(links[0] as ThreadLink, links.slice(1));
}

function leaveForChildren(identity: Identity): void {
  const heirloom: Heirloom = { ancestors: lineageLinks(identity.info), root: identity.root };
  setEnvironmentData(LINEAGE_KEY, heirloom);
}

/** What Node calls every Worker that was given no name. */
const NODES_OWN_NAME = "WorkerThread";

function nameOfForeign(): string {
  const given = (workerThreads as { threadName?: string | null }).threadName; // Node >= 22.20
  return given && given !== NODES_OWN_NAME ? given : `worker-${threadId}`;
}

function newRoot(): RootShared {
  return { id: randomUUID(), words: new Int32Array(new SharedArrayBuffer(64)) };
}

function establish(): Identity {
  const carried = carriedInWorkerData();
  const inherited = getEnvironmentData(LINEAGE_KEY) as Heirloom | undefined;
  let identity: Identity;
  if (carried !== undefined) {
    identity = {
      info: chain({ id: threadId, name: carried.name, kind: carried.kind }, carried.ancestors),
      root: carried.root,
    };
  } else if (inherited !== undefined) {
    identity = {
      info: chain({ id: threadId, name: nameOfForeign(), kind: "foreign" }, inherited.ancestors),
      root: inherited.root,
    };
  } else {
    const link: ThreadLink = isMainThread
      ? { id: threadId, name: "main", kind: "main" }
      : { id: threadId, name: nameOfForeign(), kind: "foreign" };
    identity = { info: chain(link, []), root: newRoot() };
  }
  leaveForChildren(identity);
  return identity;
}

function identity(): Identity {
  return threadWide("identity", establish);
}

/** Gives this thread the name, kind and parents that its spawner chose. For pool workers, whose thread exists before its role does. */
export function adoptIdentity(carried: Omit<CarriedIdentity, "root">): void {
  const own = identity();
  own.info = chain({ id: threadId, name: carried.name, kind: carried.kind }, carried.ancestors);
  leaveForChildren(own);
}

/** Makes this thread the root of its own subtree. It keeps its ancestors' names, but no longer shares their supervisor. */
export function becomeRoot(): RootShared {
  const own = identity();
  own.root = newRoot();
  leaveForChildren(own);
  return own.root;
}

/** What this thread shares with its root and all threads below it. */
export function rootShared(): RootShared {
  return identity().root;
}

/**
 * The thread that runs this code. Costs well under a microsecond, never blocks.
 * @example
 * ```ts run
 * import { currentThread } from "@duck-ts/runtime";
 * console.log(currentThread().kind); // "main"
 * ```
 */
export function currentThread(): ThreadInfo {
  return identity().info;
}

/** The thread whose code asked for `thread` (default: the current one), or `null` for a root. */
export function getParentThread(thread: ThreadInfo = currentThread()): ThreadInfo | null {
  return thread.parent;
}

/** The current thread first, then its parent, and so on; the root is last. */
export function threadLineage(): readonly ThreadInfo[] {
  const lineage: ThreadInfo[] = [];
  for (let at: ThreadInfo | null = currentThread(); at !== null; at = at.parent) lineage.push(at);
  return lineage;
}
