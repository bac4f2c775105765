import { currentThread, threadWide } from "@duck-ts/runtime/internal";
import { EntrypointNotAllowed } from "../errors.ts";
import { getOrCreateThreadManager } from "../resolver.ts";
import type { ThreadPoolManager } from "../thread-pool-manager.ts";
import type { ThreadNode } from "../tree.ts";
import { askToolkitAsync } from "./client.ts";
import { DEFAULT_POOL, defaultPoolSize, ENTRYPOINT_POOL, existingDefaultPool } from "./current-pool.ts";
import { checkNames } from "./executor.ts";
import { closeUnread } from "./unread.ts";

export interface EntrypointOptions {
  /** The most threads of the current pool. Default: `DUCK_POOL_SIZE`, else `min(max(cores, 4), 32)`. */
  readonly poolSize?: number | undefined;
}

/** How long separate threads have to end by themselves when an entrypoint closes. */
const SEPARATE_GRACE_MS = 500;

const slot = (): { open: Entrypoint | undefined } => threadWide("toolkit-entrypoint", () => ({ open: undefined }));

/** Threads of the pools that an entrypoint ends, by the names that these pools give them. */
function isOfCurrentPool({ kind, name }: ThreadNode): boolean {
  return kind === "pool" && [ENTRYPOINT_POOL, DEFAULT_POOL].some((pool) => name.startsWith(`${pool}-`));
}

/** While it is open, its pool is the current pool of the whole process. Made by {@link entrypoint}. */
export class Entrypoint {
  readonly #pool: ThreadPoolManager;
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(poolSize: number) {
    this.#pool = getOrCreateThreadManager(ENTRYPOINT_POOL);
    this.#pool.start({ maxWorkers: poolSize, threadNamePrefix: "duck:entrypoint" });
  }

  /** The current pool. */
  get pool(): ThreadPoolManager {
    return this.#pool;
  }

  /** Runs `main`, closes the entrypoint whatever comes of it, and gives what `main` gave. */
  async run<R>(main: () => R): Promise<Awaited<R>> {
    try {
      return await main();
    } finally {
      await this.close();
    }
  }

  /**
   * Lets what was submitted finish, then ends the threads: those of the pool, and those of `threadedSeparate` that still
   * run, which are told through `taskSignal()` and terminated soon after; an iterable that is full and that nobody reads
   * is closed, and so is a channel in which one of these threads waits for room. No thread is left when this is fulfilled.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    const leaveOpen = closeUnread("its entrypoint closes", isOfCurrentPool);
    try {
      await this.#pool.stop();
      await existingDefaultPool()?.stop();
      await askToolkitAsync({ op: "separate.end", timeoutMs: SEPARATE_GRACE_MS });
    } finally {
      leaveOpen();
      slot().open = undefined;
    }
  }
}

/**
 * Sets the size of the current pool for what runs until it is closed, and leaves no thread behind. Only in a root thread
 * (the main thread, as a rule): everything that the threads below it submit goes to the same pool.
 *
 * `const result = await entrypoint({ poolSize: 8 }).run(main)`, or `await using app = entrypoint()`.
 *
 * aiomisc's `entrypoint`.
 *
 * @throws EntrypointNotAllowed in a worker, or while another one is open.
 * @throws TypeError, RangeError for a pool size that is no whole number from 1 to 1024.
 */
export function entrypoint(options: EntrypointOptions = {}): Entrypoint {
  const here = currentThread();
  if (here.parent !== null)
    throw new EntrypointNotAllowed(
      `thread "${here.name}" was started by "${here.parent.name}", and the size of the pool is for the root of the process to say. Call it in the main thread`,
    );
  const own = slot();
  if (own.open !== undefined)
    throw new EntrypointNotAllowed(
      "another entrypoint is open. Close it first, or use a ThreadPoolExecutor for a second pool",
    );
  checkNames(options, ["poolSize"], "entrypoint");
  const { poolSize = defaultPoolSize() } = options;
  own.open = new Entrypoint(poolSize);
  return own.open;
}
