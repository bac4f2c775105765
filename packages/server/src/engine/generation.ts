/**
 * One version of the app on its threads: starts them, replaces them, lets go of them. A reload makes a second generation
 * and drains the first.
 */
import { RouteTableMismatchError, WorkerStartError } from "../errors.ts";
import { Dispatcher } from "./dispatcher.ts";
import type { GenerationOptions } from "./generation-options.ts";
import type { HostedPool, HostedWorker, WorkerExit } from "./host-pool.ts";
import type { InFlight, MainRoute, Outcome } from "./in-flight.ts";
import { mainRoutes } from "./main-routes.ts";
import { type RouteInfo, sameRoutes } from "./route-info.ts";
import { SpawnPolicy } from "./spawn-policy.ts";
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
  readonly #policy = new SpawnPolicy();
  readonly #timers = new Set<NodeJS.Timeout>();
  #watchdog: Watchdog | undefined;
  #infos: readonly RouteInfo[] | undefined;
  #starting = 0;
  #draining = false;
  #closing = false;
  #firstReady: { resolve(): void; reject(error: Error): void } | undefined;
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
      onReady: (worker) => this.#onReady(worker),
      onExit: (worker, exit) => this.#onExit(worker, exit),
    });
  }

  get readyCount(): number {
    let ready = 0;
    for (const link of this.workers) if (link.state === "ready") ready++;
    return ready;
  }
  get startingCount(): number {
    return this.#starting;
  }
  /** Three starts in a row have failed. */
  get failing(): boolean {
    return this.#policy.failing;
  }

  /** Resolves when the first worker is ready and the routes are known. @throws {WorkerStartError} when it cannot start. */
  async start(): Promise<void> {
    const ready = new Promise<void>((resolve, reject) => {
      this.#firstReady = { resolve, reject };
    });
    const { startTimeoutMs } = this.#options;
    const timer = setTimeout(() => {
      this.#firstReady?.reject(
        new WorkerStartError(
          `No request thread was ready after ${startTimeoutMs} ms: the app's top level, or an onWorkerStart, has not finished.`,
        ),
      );
      this.#firstReady = undefined;
    }, startTimeoutMs);
    this.#spawn();
    try {
      await ready;
    } finally {
      clearTimeout(timer);
    }
    // The server is to listen first: the other threads' start would take the cores that this needs.
    this.#spawnIn(this.#options.number === 1 ? OTHERS_AFTER_MS : 0);
  }

  /** A request has been taken in. */
  wake(): void {
    this.#watchdog?.wake();
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
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    let terminated = 0;
    for (const link of [...this.workers]) {
      if (link.count > 0) {
        if (link.requests.some((request) => request !== undefined && !request.abandoned)) terminated++;
        this.#forget(link, 503, "The server is shutting down.", "draining");
        link.hosted.terminate("shutdown");
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

  #spawn(): void {
    if (this.#closing) return;
    this.#starting++;
    this.#pool.spawn();
  }

  #spawnIn(delayMs: number): void {
    if (delayMs === 0) {
      this.#ensure();
      return;
    }
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#ensure();
    }, delayMs);
    this.#timers.add(timer);
  }

  /** As many as are wanted, those on their way counted; while draining, one for whatever still waits. */
  #ensure(): void {
    const wanted = this.#draining ? Math.min(1, this.dispatcher.queue.length) : this.#options.maxWorkers;
    while (!this.#closing && this.readyCount + this.#starting < wanted) this.#spawn();
  }

  #onReady(hosted: HostedWorker): void {
    hosted.port.on("message", (message: FromWorker) => {
      const link = this.#links.get(hosted);
      if (message.type === "hello") this.#hello(hosted, message.routes, message.slots);
      else if (message.type === "log") this.#options.receiveLog(message.message);
      else if (link !== undefined && link.state !== "dead") {
        if (message.type === "vitals") this.#checkMemory(link, message.heapBytes + message.externalBytes);
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
      hosted.terminate("other routes");
      return;
    }
    this.#starting--;
    this.#policy.started();
    const link = new WorkerLink(hosted, slots, performance.now());
    this.#links.set(hosted, link);
    this.workers.add(link);
    if (this.#closing) {
      link.state = "draining";
      hosted.retire();
      return;
    }
    this.dispatcher.add(link);
    this.#firstReady?.resolve();
    this.#firstReady = undefined;
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
    this.#watchdog = new Watchdog(this.dispatcher, () => this.workers, this.#options.memoryLimitMb * MIB, {
      outOfMemory: (link) => this.#outOfMemory(link),
      kill: (link, culprit, reason) => this.#kill(link, culprit, reason),
      sideline: (link) => this.#sideline(link),
      rejoin: (link) => this.#rejoin(link),
      drain: (link, reason) => this.#drain(link, reason),
    });
  }

  #onExit(hosted: HostedWorker | undefined, exit: WorkerExit): void {
    const link = hosted === undefined ? undefined : this.#links.get(hosted);
    if (link === undefined) {
      this.#failedToStart(exit);
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
    this.#spawnIn(this.#policy.died(performance.now()));
    this.#checkIdle();
  }

  #failedToStart(exit: WorkerExit): void {
    this.#starting--;
    if (this.#closing) {
      this.#checkIdle();
      return;
    }
    const why = exit.error?.message ?? `it ended with ${exit.reason}, exit code ${exit.exitCode ?? "unknown"}`;
    const error = new WorkerStartError(`A request thread could not start: ${why}`, { cause: exit.error });
    if (this.#firstReady !== undefined) {
      this.#firstReady.reject(error);
      this.#firstReady = undefined;
      return;
    }
    const wasFailing = this.failing;
    const delayMs = this.#policy.failedToStart();
    if (!wasFailing) {
      this.#options.log.error({ err: exit.error ?? error, retryInMs: delayMs }, error.message);
      if (this.failing)
        this.#options.log.error({}, "Request threads cannot start, three times in a row: the server is not ready.");
    }
    this.#spawnIn(delayMs);
  }

  #kill(link: WorkerLink, culprit: InFlight | undefined, reason: "timeout" | "stuck"): void {
    this.#options.onKill();
    this.#options.onRestart(reason);
    const route = culprit === undefined ? "its handler" : `${culprit.route.info.method} ${culprit.route.info.path}`;
    this.#options.log.warn(
      { worker: link.name, route, reason, requestId: culprit === undefined ? undefined : this.#options.idOf(culprit) },
      `Request thread ${link.name} is terminated: ${route} held it past its deadline.`,
    );
    this.#forget(link, 503, "The thread that ran this request was lost to another one.", "bystander");
    link.hosted.terminate(reason);
    this.#ensure();
    this.#checkIdle();
  }

  #sideline(link: WorkerLink): void {
    if (link.state !== "ready") return;
    link.state = "sidelined";
    this.dispatcher.takeBack(link);
    this.dispatcher.remove(link);
    this.#options.log.warn(
      { worker: link.name },
      `Request thread ${link.name} is held past a deadline by a kill:"never" route; another one takes its place.`,
    );
    this.#ensure();
  }

  #rejoin(link: WorkerLink): void {
    if (this.readyCount >= this.#options.maxWorkers || this.#closing || this.#draining) {
      this.#drain(link, "sidelined");
      return;
    }
    link.state = "ready";
    this.dispatcher.add(link);
  }

  #drain(link: WorkerLink, reason: string): void {
    if (link.state === "dead" || link.state === "draining") return;
    link.state = "draining";
    link.reason = reason;
    this.dispatcher.takeBack(link);
    this.dispatcher.remove(link);
    this.dispatcher.endEndlessOf(link, 1012, "The server replaces its thread");
    this.#ensure();
    this.#onIdle(link);
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
        this.#kill(link, undefined, "stuck");
      }
    }
    this.#checkIdle();
  }

  #outOfMemory(link: WorkerLink): void {
    this.#options.onKill();
    this.#options.onRestart("out-of-memory");
    this.#options.log.error(
      { worker: link.name, limitMb: this.#options.memoryLimitMb },
      `Request thread ${link.name} is terminated: it has grown far past memoryLimitMb.`,
    );
    this.#forget(link, 502, "The thread that ran this request ran out of memory.", "worker-died");
    link.hosted.terminate("out-of-memory");
    this.#ensure();
    this.#checkIdle();
  }

  #checkMemory(link: WorkerLink, bytes: number): void {
    if (bytes > this.#options.memoryLimitMb * MIB * 2) {
      this.#outOfMemory(link);
      return;
    }
    if (link.state !== "ready" || bytes < this.#options.memoryLimitMb * MIB) return;
    // One at a time, and never the last one that is ready.
    for (const other of this.workers) if (other.state === "draining" && other.reason === "memory") return;
    this.#options.log.warn(
      { worker: link.name, mebibytes: Math.round(bytes / MIB), limitMb: this.#options.memoryLimitMb },
      `Request thread ${link.name} has grown past memoryLimitMb; it finishes its requests and is replaced.`,
    );
    this.#options.onRestart("memory");
    this.#drain(link, "memory");
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
