/**
 * One version of the app on its threads: starts them, replaces them, lets go of them. A reload makes a second generation,
 * which grows while the first one shrinks (takeover.ts).
 */
import { RouteTableMismatchError, WorkerStartError } from "../errors.ts";
import { Dispatcher } from "./dispatcher.ts";
import type { GenerationOptions } from "./generation-options.ts";
import type { HostedPool, HostedWorker, WorkerExit } from "./host-pool.ts";
import type { InFlight, MainRoute, Outcome } from "./in-flight.ts";
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
  /** How many workers there shall be. */
  #target: number;
  #grown: { resolve(): void; reject(error: Error): void } | undefined;
  /** Those that are waited for to be gone. */
  readonly #parting = new Map<WorkerLink, () => void>();
  #draining = false;
  #closing = false;
  #idle: (() => void)[] = [];
  #closed: Promise<number> | undefined;
  readonly #links = new Map<HostedWorker, WorkerLink>();

  constructor(options: GenerationOptions) {
    this.#options = options;
    this.#target = options.maxWorkers;
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

  /** What there is to do for each worker that could begin something now; infinite where all are held. */
  get pressure(): number {
    let free = 0;
    let work = this.dispatcher.queue.length;
    for (const link of this.dispatcher.links) {
      if (!link.usable || link.exclusive > 0) continue;
      free++;
      work += link.count - link.awaiting;
    }
    return free === 0 ? Number.POSITIVE_INFINITY : (work + 1) / free;
  }

  /**
   * Resolves when the first worker is ready and the routes are known; so many follow it.
   * @throws {WorkerStartError} when it cannot start.
   */
  async start(target: number = this.#options.maxWorkers): Promise<void> {
    this.#target = target;
    await this.#starts.first();
    // The server is to listen first: the other threads' start would take the cores that this needs.
    this.#starts.ensure(this.#options.number === 1 ? OTHERS_AFTER_MS : 0);
  }

  /** Resolves when so many workers are ready. @throws {WorkerStartError} when they cannot start, three times in a row. */
  growTo(target: number): Promise<void> {
    this.#target = target;
    this.#starts.ensure();
    return new Promise((resolve, reject) => {
      this.#grown = { resolve, reject };
      this.#checkGrown();
    });
  }

  /**
   * Lets go of what is more than that: those finish their requests first, what they have not begun goes to the others.
   * Resolves when their threads have ended, by themselves or, after `timeoutMs`, by force.
   */
  async shrinkTo(target: number, timeoutMs: number): Promise<void> {
    this.#target = target;
    const ready = [...this.workers].filter((link) => link.state === "ready");
    // The least busy first: the others have the more time.
    ready.sort((a, b) => Number(a.blocked) - Number(b.blocked) || a.count - b.count);
    const leaving = ready.slice(0, Math.max(0, ready.length - target));
    await Promise.all(leaving.map((link) => this.#part(link, timeoutMs)));
  }

  async #part(link: WorkerLink, timeoutMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const gone = new Promise<void>((resolve) => void this.#parting.set(link, resolve));
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs);
    });
    this.#removals.drain(link, "reload");
    await Promise.race([gone, late]);
    clearTimeout(timer);
    if (!this.#parting.delete(link)) return;
    // Its requests have had their time; or it has none, and its managers, or its onWorkerStop, have had theirs.
    if (link.state !== "dead") this.#forget(link, 503, "The server has new code.", "draining");
    link.hosted.terminate();
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
      this.#idle.push(resolve);
      this.#checkIdle();
    });
  }

  /** Waits no longer for what does not get on. */
  giveUp(isStuck: (request: InFlight) => boolean): void {
    this.dispatcher.giveUp(this.workers, isStuck);
    this.#checkIdle();
  }

  /** Ends everything that is left: whoever is idle is let go of in good order, the others are terminated. */
  close(timeoutMs: number): Promise<number> {
    // A shutdown may come while a reload closes it.
    this.#closed ??= this.#close(timeoutMs);
    return this.#closed;
  }

  async #close(timeoutMs: number): Promise<number> {
    this.#closing = true;
    this.#starts.stop();
    this.#checkGrown();
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
    return terminated + (await this.#pool.close({ timeoutMs }));
  }

  /** How many workers there shall be; while draining, one for whatever still waits. */
  get #wanted(): number {
    return this.#draining ? Math.min(1, this.dispatcher.queue.length) : this.#target;
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
    this.#checkGrown();
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
      full: () => this.readyCount >= this.#target || this.#closing || this.#draining,
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
      this.#checkGrown(exit.error);
      this.#checkIdle();
      return;
    }
    this.#parting.get(link)?.();
    this.#parting.delete(link);
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

  #checkGrown(cause?: Error): void {
    if (this.#grown === undefined) return;
    const { resolve, reject } = this.#grown;
    if (this.#closing || this.readyCount >= this.#target) resolve();
    else if (this.failing)
      reject(
        new WorkerStartError(`Its threads cannot start: ${cause?.message ?? "they end before they are ready"}`, {
          cause,
        }),
      );
    else return;
    this.#grown = undefined;
  }

  #checkIdle(): void {
    if (this.#idle.length === 0) return;
    if (this.dispatcher.custody.active > this.dispatcher.custody.abandoned || this.dispatcher.queue.length > 0) return;
    for (const idle of this.#idle.splice(0)) idle();
  }
}
