/**
 * Threads that tinypool starts, replaces and removes. It runs one task in each for as long as the thread lives, the
 * agent; all traffic goes over ports of our own. The only place that knows tinypool, whose version is pinned: what it
 * does at its edges (docs/adr/0003) is relied upon.
 */
import { type MessagePort, type ResourceLimits, receiveMessageOnPort, type Transferable } from "node:worker_threads";
import { containedLimits, type Doorbell, onceImported, type ThreadExit } from "@duck-ts/runtime/internal";
import type Tinypool from "tinypool";

export type CrewOptions = {
  readonly agent: URL;
  readonly resourceLimits?: ResourceLimits | undefined;
  readonly execArgv: readonly string[];
  /** How many threads there may be at one time, those included that still have to die. */
  readonly maxThreads: number;
};

/** One thread of the crew. */
export interface CrewMember {
  /** Ends it now. Returns at once; `onExit` has been called when this returns, the thread dies as soon as it can. */
  terminate(): void;
}

export class Crew {
  readonly #options: CrewOptions;
  /** Made with the first thread: tinypool is an ES module, and a supervisor that needs no pool needs no loader for those. */
  #pool: Promise<Tinypool> | undefined;
  /** One for each thread that was given up and still imports; see `onceImported`. */
  readonly #ending = new Set<Promise<void>>();

  constructor(options: CrewOptions) {
    this.#options = options;
  }

  /**
   * Starts a thread with `data` for its agent. `onExit` is called exactly once, as soon as the thread has ended or was
   * told to. `port`: our end of one whose other end is in `transfer`; it closes when the thread ends, which is the only
   * sign of a process.exit() in it. `bell`: the thread's, see `newThreadBell`.
   */
  start(
    data: unknown,
    transfer: readonly Transferable[],
    { port: watched, bell }: { readonly port: MessagePort; readonly bell: Doorbell },
    exitCode: () => number,
    onExit: (exit: ThreadExit) => void,
  ): CrewMember {
    const abort = new AbortController();
    let over = false;
    let closed = false;
    const end = (exit: ThreadExit): void => {
      if (over) return;
      over = true;
      // Before `onExit`, which may destroy the crew.
      const ended = new Promise<void>((resolve) => onceImported(bell, resolve)).then(() => {
        abort.abort();
        this.#ending.delete(ended);
      });
      this.#ending.add(ended);
      // What it had said before it ended may still be in the port. (Asking from within its close event is a segmentation fault, Node 20 to 26.)
      if (!closed)
        for (let got = receiveMessageOnPort(watched); got !== undefined; got = receiveMessageOnPort(watched))
          watched.emit("message", got.message);
      onExit(exit);
      watched.close();
    };
    const run = { filename: this.#options.agent.href, name: "default", signal: abort.signal };
    this.#pool ??= this.#open();
    this.#pool
      .then((pool) => pool.run(data, { ...run, transferList: [...transfer] as never }))
      .then(
        () => end({ reason: "exit", exitCode: 0 }),
        (error: Error & { code?: string }) => {
          const reason = error?.code === "ERR_WORKER_OUT_OF_MEMORY" ? "out-of-memory" : "error";
          end({ reason, exitCode: 1, message: error?.stack ?? String(error) });
        },
      );
    // The close of the port and the failure of the run tell of the same end, in either order; the latter knows more.
    watched.once("close", () => {
      closed = true;
      if (exitCode() >= 0) end({ reason: "exit", exitCode: exitCode() });
      else setTimeout(() => end({ reason: "terminated", exitCode: undefined }), EXIT_DETAILS_MS);
    });
    return { terminate: () => end({ reason: "terminated", exitCode: undefined }) };
  }

  /** Ends tinypool, once every thread that was given up may be terminated. */
  async destroy(): Promise<void> {
    await Promise.all(this.#ending);
    const pool = await this.#pool?.catch(() => undefined); // each start() has told why there is none
    await pool?.destroy();
  }

  async #open(): Promise<Tinypool> {
    const { default: Tinypool } = await import("tinypool");
    const { maxThreads, execArgv, resourceLimits } = this.#options;
    const pool = new Tinypool({
      runtime: "worker_threads",
      minThreads: 0,
      maxThreads,
      concurrentTasksPerWorker: 1,
      isolateWorkers: true, // else a thread that has ended its agent gets the next one, with all that it holds
      useAtomics: false, // else an idle worker sits in Atomics.wait and its event loop stands still
      execArgv: [...execArgv],
      resourceLimits: containedLimits(resourceLimits),
    });
    // A thread that fails while it has no task: its member was told already, by its port.
    pool.on("error", () => undefined);
    return pool;
  }
}

/** How long after the close of a port the reason may still arrive. */
const EXIT_DETAILS_MS = 1_000;
