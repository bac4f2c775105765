import { getParentThread, type ThreadInfo } from "@duck-ts/runtime";
import { currentThread, lineageLinks, logger, threadWide } from "@duck-ts/runtime/internal";
import * as board from "./board.ts";
import { ManagerNotFound } from "./errors.ts";
import { LoopManager } from "./loop-manager.ts";
import { handles, type Manager } from "./manager.ts";
import { checkId, checkResolve, type ResolveOptions } from "./options.ts";
import type { Asked, Introduction, Kind, ManagerId } from "./protocol.ts";
import { askLineage, bumpRegistry, known, registryVersion } from "./registry.ts";
import { ask, tell } from "./service-client.ts";
import { managerLabel, nameOf } from "./supervisor/records.ts";
import { ThreadPoolManager } from "./thread-pool-manager.ts";

/**
 * The loop manager of this id: the current thread's, else the nearest ancestor's, else a new one that the current
 * thread owns (not started yet). Costs under a microsecond once found; the first look-up of an id in a thread that has
 * ancestors blocks for one round trip to the supervisor.
 *
 * Duck's `get_or_create_loop_manager`.
 *
 * @throws ManagerNotFound with `strictlyGet`, when neither the thread nor an ancestor has it.
 * @throws TypeError for a bad id, or `strictlyGet` together with `forceCreate`.
 */
export function getOrCreateLoopManager(idOrOptions?: ManagerId | ResolveOptions): LoopManager {
  return resolve("loop", checkResolve(idOrOptions, "getOrCreateLoopManager")) as LoopManager;
}

/**
 * The pool manager of this id; as {@link getOrCreateLoopManager}, in a namespace of its own.
 *
 * Duck's `get_or_create_thread_manager`.
 */
export function getOrCreateThreadManager(idOrOptions?: ManagerId | ResolveOptions): ThreadPoolManager {
  return resolve("thread", checkResolve(idOrOptions, "getOrCreateThreadManager")) as ThreadPoolManager;
}

/** Which manager a look-up would give, and why. */
export interface ManagerResolution {
  readonly kind: Kind;
  readonly id: ManagerId | undefined;
  /** Whether there is one; if not, a look-up would create it in the current thread. */
  readonly found: boolean;
  readonly owner: ThreadInfo | null;
  readonly inherited: boolean;
  /** The threads that were asked, the current one first, and the ids of this kind that each has. */
  readonly asked: readonly {
    readonly thread: ThreadInfo;
    readonly ids: readonly (ManagerId | undefined)[];
    readonly found: boolean;
  }[];
}

/** Says which manager this thread would get for `id`, whose it is, and which threads were asked. Never creates one. */
export function explainManager(kind: Kind, id?: ManagerId): ManagerResolution {
  if (kind !== "loop" && kind !== "thread")
    throw new TypeError(`explainManager: kind must be "loop" or "thread", got ${String(kind)}.`);
  checkId(id, "explainManager");
  const threads = new Map<number, ThreadInfo>();
  for (let at: ThreadInfo | null = currentThread(); at !== null; at = at.parent) threads.set(at.id, at);
  const asked = askLineage(kind, id).map(({ thread, ids, found }) => ({
    thread: threads.get(thread.id) as ThreadInfo,
    ids,
    found,
  }));
  const owner = asked.find(({ found }) => found)?.thread ?? null;
  return {
    kind,
    id,
    found: owner !== null,
    owner,
    inherited: owner !== null && owner.id !== currentThread().id,
    asked,
  };
}

function resolve(kind: Kind, { id, forceCreate, strictlyGet }: ReturnType<typeof checkResolve>): Manager {
  const name = nameOf(kind, id);
  const { own, inherited } = known();
  if (forceCreate) return create(kind, id, own.get(name));
  const mine = own.get(name);
  if (mine !== undefined) return mine;
  const version = registryVersion();
  const cached = inherited.get(name);
  if (cached?.version === version) return cached.manager;
  if (getParentThread() === null) {
    if (strictlyGet) throw notFound(kind, id);
    return create(kind, id, undefined);
  }
  const fresh = strictlyGet ? undefined : introduce(kind, id);
  const intro = ask<Introduction | undefined>({ op: "resolve", kind, id, create: fresh });
  if (intro === undefined) throw notFound(kind, id);
  const manager = handleOf(intro);
  if (intro.key === fresh?.key) own.set(name, manager);
  else inherited.set(name, { manager, version });
  return manager;
}

/** Always a new one, owned by the current thread. */
export function createManager(kind: Kind, id: ManagerId | undefined): Manager {
  return create(kind, id, known().own.get(nameOf(kind, id)));
}

/** Lets go of a manager that this thread owns and that is stopped for good. */
export function forgetManager(manager: Manager): void {
  const { own } = known();
  const name = nameOf(manager.kind, manager.id);
  if (own.get(name) === manager) own.delete(name);
  handles().delete(manager.key);
  tell({ op: "forget", key: manager.key });
}

function create(kind: Kind, id: ManagerId | undefined, replaced: Manager | undefined): Manager {
  const intro = introduce(kind, id);
  const manager = handleOf(intro);
  known().own.set(nameOf(kind, id), manager);
  replaced?.retire();
  tell({ op: "created", manager: intro, replaces: replaced?.key });
  // By us and not only by the supervisor: whoever sees what we do next must find this manager.
  bumpRegistry();
  if (replaced !== undefined) {
    handles().delete(replaced.key);
    logger().warn(
      { id: id ?? null, kind, thread: currentThread().name },
      `${managerLabel(kind, id)} was replaced by forceCreate; the old one is stopped once its tasks are done`,
    );
  }
  return manager;
}

function introduce(kind: Kind, id: ManagerId | undefined): Introduction {
  const counter = threadWide("manager-counter", () => ({ next: 0 }));
  counter.next += 1;
  return {
    key: `${currentThread().id}:${kind}:${counter.next}`,
    kind,
    id,
    owner: lineageLinks(currentThread()),
    head: board.newHead(),
  };
}

/** This thread's handle of that manager. */
export function handleOf(intro: Introduction): Manager {
  const existing = handles().get(intro.key);
  if (existing !== undefined) return existing;
  const manager = intro.kind === "loop" ? LoopManager.make(intro) : ThreadPoolManager.make(intro);
  handles().set(intro.key, manager);
  return manager;
}

function notFound(kind: Kind, id: ManagerId | undefined): ManagerNotFound {
  return new ManagerNotFound(managerLabel(kind, id), askLineage(kind, id).map(describeAsked));
}

function describeAsked({ thread, ids }: Asked): string {
  const has =
    ids.length === 0
      ? "has none"
      : `has ${ids.map((id) => (id === undefined ? "(default)" : JSON.stringify(id))).join(", ")}`;
  return `thread "${thread.name}" (${thread.id}) ${has}`;
}
