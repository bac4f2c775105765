/** Which pool a threaded function runs in when nobody says. */
import { availableParallelism } from "node:os";
import {
  currentThread,
  DEFAULT_POOL_STATE,
  lineageLinks,
  rootShared,
  type ThreadLink,
} from "@duck-ts/runtime/internal";
import { newHead } from "../board.ts";
import type { Introduction } from "../protocol.ts";
import { known, registryVersion } from "../registry.ts";
import { createManager, handleOf } from "../resolver.ts";
import { ask } from "../service-client.ts";
import { nameOf } from "../supervisor/records.ts";
import { ThreadPoolManager } from "../thread-pool-manager.ts";

/** The id of the pool of an open `entrypoint()`. */
export const ENTRYPOINT_POOL = "duck:entrypoint";
/** The id of the process's default pool. */
export const DEFAULT_POOL = "duck:threaded";

/** What the root's shared memory says of the default pool. */
const NONE = 0;
const MAKING = 1;
const MADE = 2;
/** Making it takes microseconds. A thread that died over it must not stop the others for ever. */
const MAKING_MS = 1_000;

/**
 * How many threads a pool has when nobody says: `DUCK_POOL_SIZE`, else as many as there are cores, but 4 at least and
 * 32 at most (aiomisc's rule).
 *
 * @throws RangeError if DUCK_POOL_SIZE is something else than a whole number from 1 to 1024.
 */
export function defaultPoolSize(): number {
  const given = process.env.DUCK_POOL_SIZE?.trim();
  if (given === undefined || given === "") return Math.min(Math.max(availableParallelism(), 4), 32);
  const size = Number(given);
  if (!Number.isInteger(size) || size < 1 || size > 1024) {
    throw new RangeError(
      `The environment variable DUCK_POOL_SIZE must be a whole number from 1 to 1024, got ${JSON.stringify(given)}.`,
    );
  }
  return size;
}

/**
 * The pool for what is called here: that of an open entrypoint of the process, else the process's default pool, which
 * the root thread owns whoever needs it first. Blocks at most for a round trip to the supervisor, and only after a
 * manager was made or forgotten somewhere.
 */
export function currentPool(): ThreadPoolManager {
  const version = registryVersion();
  if (chosen?.version === version && chosen.pool.state === "running") return chosen.pool;
  const open = find(ENTRYPOINT_POOL);
  const usable = open !== undefined && (open.state === "running" || open.state === "stopping");
  const pool = usable ? open : defaultPool();
  // An entrypoint's pool that has been closed may be opened again without any manager being made.
  chosen = usable || open === undefined ? { version, pool } : undefined;
  return pool;
}

/** What the last call had, as long as no other can be due. */
let chosen: { readonly version: number; readonly pool: ThreadPoolManager } | undefined;

/** The process's default pool if it was made already. */
export function existingDefaultPool(): ThreadPoolManager | undefined {
  return find(DEFAULT_POOL);
}

function defaultPool(): ThreadPoolManager {
  const found = find(DEFAULT_POOL);
  if (found?.state === "running") return found;
  const { words } = rootShared();
  const claimed = Atomics.compareExchange(words, DEFAULT_POOL_STATE, NONE, MAKING) === NONE;
  if (!claimed && Atomics.load(words, DEFAULT_POOL_STATE) === MAKING)
    Atomics.wait(words, DEFAULT_POOL_STATE, MAKING, MAKING_MS);
  const pool = make();
  // Started before anyone else may look: whoever finds it can use it.
  if (pool.state === "idle" || pool.state === "stopped") startOnce(pool);
  Atomics.store(words, DEFAULT_POOL_STATE, MADE);
  Atomics.notify(words, DEFAULT_POOL_STATE);
  return pool;
}

function startOnce(pool: ThreadPoolManager): void {
  try {
    pool.start({ maxWorkers: defaultPoolSize(), threadNamePrefix: "duck:threaded" });
  } catch (error) {
    if (pool.state !== "running") throw error; // else another thread was faster
  }
}

/** The default pool, made in the root's name if it is not there. */
function make(): ThreadPoolManager {
  const isRoot = currentThread().parent === null;
  const mine = known().own.get(nameOf("thread", DEFAULT_POOL));
  if (mine instanceof ThreadPoolManager) return mine;
  // The root is the first to need it: it need not ask, and must not, since there may be no supervisor yet to answer.
  if (isRoot && Atomics.load(rootShared().words, DEFAULT_POOL_STATE) !== MADE)
    return createManager("thread", DEFAULT_POOL) as ThreadPoolManager;
  const root = lineageLinks(currentThread()).slice(-1) as ThreadLink[];
  const create: Introduction = {
    key: `${currentThread().id}:thread:default-pool`,
    kind: "thread",
    id: DEFAULT_POOL,
    owner: root,
    head: newHead(),
  };
  return handleOf(ask<Introduction>({ op: "resolve", kind: "thread", id: DEFAULT_POOL, create })) as ThreadPoolManager;
}

/** What was found in this thread, for as long as the registry's version stands. */
const looked = { version: -1, pools: new Map<string, ThreadPoolManager | undefined>() };

/** The pool of this id that this thread or an ancestor owns. */
function find(id: string): ThreadPoolManager | undefined {
  const version = registryVersion();
  if (version !== looked.version) {
    looked.version = version;
    looked.pools.clear();
  }
  const before = looked.pools.get(id);
  if (before !== undefined || looked.pools.has(id)) return before;
  const pool = lookUp(id);
  looked.pools.set(id, pool);
  return pool;
}

function lookUp(id: string): ThreadPoolManager | undefined {
  const own = known().own.get(nameOf("thread", id));
  if (own instanceof ThreadPoolManager) return own;
  const isRoot = currentThread().parent === null;
  // What a child makes in the root's name the root does not have in its own registry.
  if (isRoot && (id !== DEFAULT_POOL || Atomics.load(rootShared().words, DEFAULT_POOL_STATE) === NONE))
    return undefined;
  const intro = ask<Introduction | undefined>({ op: "resolve", kind: "thread", id, create: undefined });
  return intro === undefined ? undefined : (handleOf(intro) as ThreadPoolManager);
}
