/**
 * A pool whose workers serve its owner directly: the server's request threads. The owner's thread, which must never
 * block, decides when workers are made and what they do; the managers give them identity, lineage, a line, and an end.
 */
import { inspect } from "node:util";
import { MessageChannel, type MessagePort, type ResourceLimits } from "node:worker_threads";
import {
  currentThread,
  decodeThrown,
  entryUrl,
  line,
  lineageLinks,
  loaderFlags,
  newThreadBell,
  type ThreadExit,
} from "@duck-ts/runtime/internal";
import * as board from "../board.ts";
import { createManager, explainManager, forgetManager } from "../resolver.ts";
import type { ThreadPoolManager } from "../thread-pool-manager.ts";
import { Crew, type CrewMember } from "./crew.ts";
import type { FromHostedAgent, HostedAgentData } from "./hosted-agent.ts";

/** How a worker ended. */
export interface WorkerExit {
  readonly reason: "exit" | "out-of-memory" | "error" | "terminated";
  readonly exitCode: number | undefined;
  readonly error?: Error;
  /** It was ended because it was not ready in time. */
  readonly late?: boolean;
}

/** A ready worker. */
export interface HostedWorker {
  readonly thread: { readonly id: number; readonly name: string };
  /** The owner's end of the worker's traffic port. */
  readonly port: MessagePort;
  /** Ends it now; returns at once, `onExit` follows, also when a native call holds the thread. */
  terminate(): void;
  /** It has no more to do: it runs its module's `stop()` and exits. */
  retire(): void;
}

export interface HostPoolOptions {
  readonly taskType: string;
  readonly maxWorkers: number;
  readonly threadNamePrefix: string;
  /** URL of the ES module whose `start({ port, data, thread })` runs in each worker. */
  readonly workerModule: string;
  readonly workerData: unknown;
  readonly resourceLimits?: ResourceLimits;
  /** A worker that is not ready by then is ended, and its exit says so. */
  readonly startTimeoutMs: number;
  onReady(worker: HostedWorker): void;
  /** `undefined`: the worker ended before it was ready. */
  onExit(worker: HostedWorker | undefined, exit: WorkerExit): void;
}

export interface HostedPool {
  /** Starts one more worker. Returns at once. */
  spawn(): void;
  /** Retires all, waits at most `timeoutMs`, and ends what is left: resolves to how many ready workers those were. */
  close(options: { readonly timeoutMs: number }): Promise<number>;
  readonly manager: ThreadPoolManager;
}

/** The id of the manager that stands for the request threads in the lineage. */
export const REQUEST_POOL_ID = "request-handling";

export function hostPool(options: HostPoolOptions): HostedPool {
  return new HostedPoolInMain(options);
}

/** A second server in the same process gets a number, so that neither takes the other's place. */
function freeId(): string {
  for (let n = 1; ; n++) {
    const id = n === 1 ? REQUEST_POOL_ID : `${REQUEST_POOL_ID}-${n}`;
    const explained = explainManager("thread", id);
    if (!explained.found || explained.inherited) return id;
  }
}

type Member = {
  readonly crew: CrewMember;
  readonly control: MessagePort;
  /** Ends it where it is not ready in time: what it imports, or its start(), may never end. */
  readonly deadline: NodeJS.Timeout;
  late: boolean;
  /** It has been terminated already: its end takes as long as the native call that holds it. */
  given: boolean;
  worker: HostedWorker | undefined;
  id: number | undefined;
};

class HostedPoolInMain implements HostedPool {
  readonly manager: ThreadPoolManager;
  readonly #options: HostPoolOptions;
  readonly #crew: Crew;
  readonly #members = new Set<Member>();
  readonly #head: board.Words;
  #names = 0;
  #emptied: (() => void) | undefined;

  constructor(options: HostPoolOptions) {
    this.#options = options;
    this.manager = createManager("thread", freeId()) as ThreadPoolManager;
    this.#head = this.manager.startHosted(options.taskType, options.maxWorkers, options.threadNamePrefix);
    this.#crew = new Crew({
      agent: entryUrl("./pool/hosted-agent.js", "@duck-ts/managers", import.meta.url),
      resourceLimits: options.resourceLimits,
      execArgv: loaderFlags(process.execArgv),
      maxThreads: options.maxWorkers * 8 + 16,
    });
  }

  spawn(): void {
    const { port1: lineHere, port2: lineThere } = new MessageChannel();
    const { port1: control, port2: controlThere } = new MessageChannel();
    const { port1: traffic, port2: trafficThere } = new MessageChannel();
    const bell = newThreadBell();
    const exitCode = new Int32Array(new SharedArrayBuffer(4));
    exitCode[0] = -1;
    line().post({ t: "thread", links: [], bell, port: lineHere }, [lineHere]);
    this.#names += 1;
    const data: HostedAgentData = {
      identity: {
        name: `${this.#options.threadNamePrefix}-${this.#names}`,
        kind: "request",
        ancestors: lineageLinks(currentThread()),
      },
      key: this.manager.key,
      line: lineThere,
      bell,
      control: controlThere,
      traffic: trafficThere,
      exitCode,
      module: this.#options.workerModule,
      data: this.#options.workerData,
    };
    let failure: Error | undefined;
    const crew = this.#crew.start(
      data,
      [lineThere, controlThere, trafficThere],
      { port: control, bell },
      () => Atomics.load(exitCode, 0),
      (exit) => this.#ended(member, exit, failure),
    );
    const deadline = setTimeout(() => {
      member.late = true;
      crew.terminate();
    }, this.#options.startTimeoutMs);
    const member: Member = { crew, control, deadline, late: false, given: false, worker: undefined, id: undefined };
    this.#members.add(member);
    Atomics.add(this.#head, board.WORKERS, 1);
    control.on("message", (message: FromHostedAgent) => {
      if (message.t === "failed") {
        failure = asError(decodeThrown(message.error as never));
        return;
      }
      const [link] = message.links;
      if (link === undefined || member.worker !== undefined) return;
      clearTimeout(deadline);
      member.id = link.id;
      member.worker = {
        thread: { id: link.id, name: link.name },
        port: traffic,
        terminate: () => {
          member.given = true;
          crew.terminate();
        },
        retire: () => control.postMessage("retire"),
      };
      this.#options.onReady(member.worker);
    });
  }

  async close({ timeoutMs }: { timeoutMs: number }): Promise<number> {
    let ended = 0;
    for (const member of this.#members) {
      if (member.worker === undefined) member.crew.terminate();
      else member.worker.retire();
    }
    if (this.#members.size > 0) {
      let timer: NodeJS.Timeout | undefined;
      await Promise.race([
        new Promise<void>((resolve) => {
          this.#emptied = resolve;
        }),
        new Promise<void>((resolve) => {
          timer = setTimeout(resolve, timeoutMs);
        }),
      ]);
      clearTimeout(timer);
      for (const member of [...this.#members]) {
        if (member.worker !== undefined && !member.given) ended++;
        member.crew.terminate();
      }
    }
    await this.manager.stop({ wait: false, timeoutMs: 0 });
    forgetManager(this.manager);
    // Threads in native calls end when those return; nobody waits for them.
    void this.#crew.destroy();
    return ended;
  }

  #ended(member: Member, exit: ThreadExit, failure: Error | undefined): void {
    if (!this.#members.delete(member)) return;
    clearTimeout(member.deadline);
    Atomics.sub(this.#head, board.WORKERS, 1);
    if (member.id !== undefined) line().post({ t: "gone", id: member.id, exit });
    const error = failure ?? (exit.message === undefined ? undefined : errorOf(exit.message));
    this.#options.onExit(member.worker, {
      reason: exit.reason,
      exitCode: exit.exitCode,
      ...(error === undefined ? {} : { error }),
      ...(member.late ? { late: true } : {}),
    });
    member.worker?.port.close();
    if (this.#members.size === 0) this.#emptied?.();
  }
}

/** What ended a thread, from its stack: that is where it happened, not here. */
function errorOf(stack: string): Error {
  return Object.assign(new Error(stack.split("\n", 1)[0]), { stack });
}

/** What a start threw; of what is no Error, words for it, without a stack that would lead to here. */
function asError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown;
  const error = new Error(`its start threw ${inspect(thrown)}, which is no Error`);
  error.stack = `${error.name}: ${error.message}`;
  return error;
}
