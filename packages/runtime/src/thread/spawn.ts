import { type ResourceLimits, type Transferable, Worker } from "node:worker_threads";
import type { CrashReason } from "../errors.ts";
import type { ThreadExit } from "../wire/messages.ts";
import { containedLimits } from "./heap-limits.ts";
import { type CarriedIdentity, LINEAGE_KEY } from "./identity.ts";

export type SpawnOptions = {
  readonly identity: CarriedIdentity;
  readonly data: Record<string, unknown>;
  readonly transfer: readonly Transferable[];
  readonly resourceLimits?: ResourceLimits | undefined;
  readonly execArgv?: readonly string[] | undefined;
};

/** Flags that change how user modules load, and so must hold in the threads that load them too. Others belong to the process. */
const LOADER_FLAGS =
  /^(--import|--require|-r|--loader|--experimental-loader|--conditions|-C|--enable-source-maps|--no-warnings|--disable-warning|--experimental-|--no-experimental-|--preserve-symlinks)/;

/** The part of `argv` (an execArgv) that a worker thread accepts and user modules need. */
export function loaderFlags(argv: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const flag = argv[i] as string;
    if (!LOADER_FLAGS.test(flag)) continue;
    kept.push(flag);
    const next = argv[i + 1];
    if (/^(--import|--require|-r|--loader|--experimental-loader|--conditions|-C)$/.test(flag) && next !== undefined) {
      kept.push(next);
      i++;
    }
  }
  return kept;
}

/** Starts a thread that knows who it is. The only place in duck-ts that makes one by itself (tinypool makes the pools'). */
export function spawnThread(entry: URL, options: SpawnOptions): Worker {
  const settings = {
    workerData: { ...options.data, [LINEAGE_KEY]: options.identity },
    transferList: [...options.transfer] as Transferable[],
    resourceLimits: containedLimits(options.resourceLimits),
  };
  let worker: Worker;
  try {
    worker = new Worker(entry, { ...settings, execArgv: [...(options.execArgv ?? [])] });
  } catch (error) {
    // A flag that this Node does not take in workers. The transfer list is untouched: options are checked first.
    if ((error as { code?: string }).code !== "ERR_WORKER_INVALID_EXEC_ARGV") throw error;
    worker = new Worker(entry, { ...settings, execArgv: [] });
  }
  worker.setMaxListeners(0);
  return worker;
}

/** Calls `onExit` once, when the thread has ended, with the best reason known. */
export function watchExit(worker: Worker, onExit: (exit: ThreadExit) => void): { terminating(): void } {
  let cause: CrashReason = "exit";
  let message: string | undefined;
  worker.once("error", (error: Error & { code?: string }) => {
    cause = error?.code === "ERR_WORKER_OUT_OF_MEMORY" ? "out-of-memory" : "error";
    message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  });
  worker.once("exit", (exitCode) => onExit({ reason: cause, exitCode, ...(message === undefined ? {} : { message }) }));
  return {
    terminating() {
      if (cause === "exit") cause = "terminated";
    },
  };
}
