/**
 * One version of the app on its threads: starts them, replaces them, lets go of them. A reload makes a second generation
 * and drains the first.
 */
import { RouteTableMismatchError } from "../errors.ts";
import { Dispatcher } from "./dispatcher.ts";
import type { GenerationOptions } from "./generation-options.ts";
import type { HostedPool, HostedWorker, WorkerExit } from "./host-pool.ts";
import type { MainRoute, Outcome } from "./in-flight.ts";
import { mainRoutes } from "./main-routes.ts";
import { Removals } from "./removals.ts";
import { type RouteInfo, sameRoutes } from "./route-info.ts";
import { Starts } from "./starts.ts";
import { Watchdog } from "./watchdog.ts";
import type { FromWorker } from "./wire.ts";
import { WorkerLink } from "./worker-link.ts";

/** At boot the first worker is alone for so long. */
const OTHERS_AFTER_MS = 30;
const MIB = 1024 * 1024;

export class Generation {
  routes: readonly MainRoute[] = [];
  dispatcher!: Dispatcher;
  /** Workers in any state but dead. */
  readonly workers: Set<WorkerLink> = new Set();
  readonly #options: GenerationOptions;
  readonly #pool: HostedPool;
  readonly #starts: Starts;
  #removals!: Removals;
  #watchdog: Watchdog | undefined;
  #infos: readonly RouteInfo[] | undefined;
  #draining = false;
  #closing = false;
  #idle: (() => void) | undefined;
  readonly #links = new Map<HostedWorker, WorkerLink>();

  constructor(options: GenerationOptions) {
    this.#options = options;
    // Only a backstop: the watchdog and the vitals are to act long before.
    const heapMb = options.memoryLimitMb * 2 + 256;
    this.#pool = options.hostPool({
      taskType: "request-handling",
      maxWorkers: options.maxWorkers,
      threadNamePrefix: options.number === 1 ? "request" : `request-g${options.number}`,
      workerModule: options.workerModule,
      workerData: options.workerData,
      resourceLimits: { maxOldGenerationSizeMb: heapMb },
      startTimeoutMs: options.startTimeoutMs,
      onReady: (worker) => this.#onReady(worker),
      onExit: (worker, exit) => this.#onExit(worker, exit),
    });
    this.#starts = new Starts({
      spawn: () => this.#pool.spawn(),
      wanted: () => this.#wanted - this.readyCount,
      timeoutMs: options.startTimeoutMs,
      log: options.log,
    });
  }

  get readyCount(): number {
    let ready = 0;
    for (const link of this.workers) if (link.state === "ready") ready++;
    return ready;
  }
  get startingCount(): number {
    return this.#starts.count;
  }
  /** Three starts in a row have failed. */
  get failing(): boolean {
    return this.#starts.failing;
  }

  /** Resolves when the first worker is ready and the routes are known. @throws {WorkerStartError} when it cannot start. */
  async start(): Promise<void> {
    await this.#starts.first();
    // The server is to listen first: the other threads' start would take the cores that this needs.
    this.#starts.ensure(this.#options.number === 1 ? OTHERS_AFTER_MS : 0);
  }

  /** A request has been taken in. */
  wake(timeoutMs: number): void {
    this.#watchdog?.wake(timeoutMs);
  }

  /** Takes no more requests and closes WebSockets with this code; resolves when the requests that are there have ended. */
  drained(socketCode: 1001 | 1012): Promise<void> {
    this.#draining = true;
    this.dispatcher.endEndless(
      socketCode,
      socketCode === 1001 ? "The server is shutting down" : "The server has new code",
    );
    return new Promise((resolve) => {
      this.#idle = resolve;
      this.#checkIdle();
    });
  }

  /** Ends everything that is left: whoever is idle is let go of in good order, the others are terminated. */
  async close(timeoutMs: number): Promise<number> {
    this.#closing = true;
    this.#starts.stop();
    let terminated = 0;
    for (const link of [...this.workers]) {
      if (link.count > 0) {
        if (link.requests.some((request) => request !== undefined && !request.abandoned)) terminated++;
        this.#forget(link, 503, "The server is shutting down.", "draining");
        link.hosted.terminate();
      } else if (link.state !== "draining") {
        link.state = "draining";
        link.hosted.retire();
      }
    }
    // What was to be run again has no thread to run on any more. (Undefined where no worker ever was ready.)
    (this.dispatcher as Dispatcher | undefined)?.refuseAll("The server is shutting down.");
    this.#watchdog?.stop();
    await this.#pool.close({ timeoutMs });
    return terminated;
  }

  /** How many workers there shall be; while draining, one for whatever still waits. */
  get #wanted(): number {
    return this.#draining ? Math.min(1, this.dispatcher.queue.length) : this.#options.maxWorkers;
  }

  #onReady(hosted: HostedWorker): void {
    hosted.port.on("message", (message: FromWorker) => {
      const link = this.#links.get(hosted);
      if (message.type === "hello") this.#hello(hosted, message.routes, message.slots);
      else if (message.type === "log") this.#options.receiveLog(message.message);
      else if (link !== undefined && link.state !== "dead") {
        if (message.type === "vitals") this.#removals.grew(link, message.heapBytes + message.externalBytes);
        this.dispatcher.receive(link, message);
      }
    });
  }

  #hello(hosted: HostedWorker, routes: readonly RouteInfo[], slots: SharedArrayBuffer): void {
    if (this.#infos === undefined) this.#learnRoutes(routes);
    else if (!sameRoutes(this.#infos, routes)) {
      const error = new RouteTableMismatchError(
        "A worker reports other routes than the first one did. Declare routes unconditionally, at the top level of the app.",
      );
      this.#options.log.error({ err: error, thread: hosted.thread.name }, error.message);
      hosted.terminate();
      return;
    }
    const link = new WorkerLink(hosted, slots, performance.now());
    this.#links.set(hosted, link);
    this.workers.add(link);
    this.#starts.started();
    if (this.#closing) {
      link.state = "draining";
      hosted.retire();
      return;
    }
    this.dispatcher.add(link);
  }

  #learnRoutes(infos: readonly RouteInfo[]): void {
    this.#infos = infos;
    this.routes = mainRoutes(infos, this.#options);
    this.dispatcher = new Dispatcher({
      routes: this.routes,
      maxQueue: this.#options.maxQueue,
      placements: this.#options.placements,
      onSettled: (request, status, outcome) => {
        this.#options.onSettled(request, status, outcome);
        this.#checkIdle();
      },
      onIdle: (link) => this.#onIdle(link),
      idOf: this.#options.idOf,
    });
    this.#removals = new Removals({
      settings: this.#options,
      dispatcher: this.dispatcher,
      workers: this.workers,
      full: () => this.readyCount >= this.#options.maxWorkers || this.#closing || this.#draining,
      forget: (link, status, detail, outcome) => this.#forget(link, status, detail, outcome),
      onRemoved: () => {
        this.#starts.ensure();
        this.#checkIdle();
      },
      onDraining: (link) => this.#onIdle(link),
    });
    this.#watchdog = new Watchdog(
      this.dispatcher,
      () => this.workers,
      this.#options.memoryLimitMb * MIB,
      this.#removals,
    );
  }

  #onExit(hosted: HostedWorker | undefined, exit: WorkerExit): void {
    const link = hosted === undefined ? undefined : this.#links.get(hosted);
    if (link === undefined) {
      this.#starts.failed(exit);
      this.#checkIdle();
      return;
    }
    this.#links.delete(link.hosted);
    if (link.state === "dead") return;
    const retired = link.state === "draining" && link.count === 0;
    this.#forget(link, 502, `The thread that ran this request ended: ${exit.reason}.`, "worker-died");
    if (retired) return;
    const { thread } = link.hosted;
    this.#options.log.error(
      { err: exit.error, worker: thread.name, reason: exit.reason, exitCode: exit.exitCode },
      `Request thread ${thread.name} ended by itself (${exit.reason}); it is replaced.`,
    );
    this.#options.onRestart(exit.reason);
    this.#starts.died();
    this.#checkIdle();
  }

  /** Let go of a draining worker that has nothing left, or nothing that anybody waits for. */
  #onIdle(link: WorkerLink): void {
    if (link.state === "draining") {
      if (link.count === 0) {
        link.hosted.retire();
        this.workers.delete(link);
      } else if (
        link.reason === "stuck" &&
        !link.requests.some((request) => request !== undefined && request.stage !== "settled")
      ) {
        this.#removals.kill(link, undefined, "stuck");
      }
    }
    this.#checkIdle();
  }

  #forget(link: WorkerLink, status: 502 | 503, detail: string, outcome: Outcome): void {
    this.dispatcher.lose(link, status, detail, outcome);
    this.workers.delete(link);
  }

  #checkIdle(): void {
    if (this.#idle === undefined) return;
    if (this.dispatcher.custody.active > this.dispatcher.custody.abandoned || this.dispatcher.queue.length > 0) return;
    const idle = this.#idle;
    this.#idle = undefined;
    idle();
  }
}
