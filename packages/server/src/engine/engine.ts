/** The request engine: the current generation of workers, its routes, and what is counted. */
import { HttpError, ServerStateError } from "../errors.ts";
import { Answers } from "./answers.ts";
import { Generation } from "./generation.ts";
import type { PoolSettings } from "./generation-options.ts";
import type { InFlight, MainRoute, Outcome } from "./in-flight.ts";
import { MainHost } from "./main-host.ts";
import type { CostClass } from "./route-cost.ts";
import { Router } from "./router.ts";
import type { EngineStats, RequestRecord, RestartReason } from "./stats.ts";
import { takeOver } from "./takeover.ts";
import type { ToWorker, WorkerData } from "./wire.ts";

export interface EngineOptions extends PoolSettings {
  readonly workerData: Omit<WorkerData, "app" | "plugins">;
}

/** An app that can be imported, and the plugins' worker sides. */
export interface EngineApp {
  readonly app: string;
  readonly plugins: readonly string[];
}

/** One version of the app: its workers, its routes, and main's own copy of it where a route asks for that. */
interface Version {
  readonly generation: Generation;
  readonly router: Router<MainRoute>;
  readonly mainHost: MainHost | undefined;
}

export class Engine {
  readonly #options: EngineOptions;
  readonly #listeners: ((record: RequestRecord) => void)[] = [];
  readonly #outcomes: Record<Outcome, number> = {
    answered: 0,
    timeout: 0,
    "queue-timeout": 0,
    "queue-full": 0,
    "worker-died": 0,
    bystander: 0,
    "client-gone": 0,
    "broken-off": 0,
    draining: 0,
  };
  readonly #restarts: Record<RestartReason, number> = {
    exit: 0,
    "out-of-memory": 0,
    error: 0,
    terminated: 0,
    timeout: 0,
    memory: 0,
    stuck: 0,
  };
  readonly #old = new Set<Version>();
  #version: Version | undefined;
  /** The one that `#version` is taking over from: it still gets its share of the requests. */
  #before: Version | undefined;
  #number = 0;
  #kills = 0;
  #draining = false;
  /** For all generations: counters never go down. */
  readonly #placements: Record<CostClass, number>[] = [];
  readonly #idPrefix: string;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#idPrefix = options.workerData.idPrefix;
  }

  /** Starts the first generation. @throws {WorkerStartError} when its first worker cannot start. */
  async start(app: EngineApp): Promise<void> {
    this.#version = await this.#boot(app, this.#options.maxWorkers);
  }

  /**
   * Replaces all workers with ones that run `app`, one after the other, dropping nothing that ends within `drainTimeoutMs`
   * of its worker's turn. Where the new ones cannot start, the old ones go on.
   */
  async reload(app: EngineApp, drainTimeoutMs: number): Promise<void> {
    const next = await this.#boot(app, 1);
    if (this.#draining) {
      await next.generation.close(0);
      throw new ServerStateError("The server was closed while it reloaded.");
    }
    const before = this.#version;
    this.#version = next;
    if (before === undefined) return;
    this.#before = before;
    const { maxWorkers } = this.#options;
    try {
      await takeOver(before.generation, next.generation, maxWorkers, drainTimeoutMs, () => !this.#draining);
    } catch (error) {
      if (this.#draining) throw error;
      this.#before = undefined;
      this.#version = before;
      // Those that are lacking; they are tried again until they are there.
      before.generation.growTo(maxWorkers).catch(() => undefined);
      await this.#retire(next, drainTimeoutMs);
      throw error;
    }
    // Then it is the shutdown that ends both.
    if (this.#draining) throw new ServerStateError("The server was closed while it reloaded.");
    this.#before = undefined;
    await this.#retire(before, drainTimeoutMs);
  }

  /** A version gets no more requests; its workers end when they have finished those they have. */
  async #retire(version: Version, drainTimeoutMs: number): Promise<void> {
    const { generation } = version;
    this.#old.add(version);
    version.mainHost?.endEndless();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, drainTimeoutMs);
    });
    await Promise.race([
      Promise.all([generation.drained(this.#draining ? 1001 : 1012), version.mainHost?.drained()]),
      late,
    ]);
    clearTimeout(timer);
    version.mainHost?.close();
    await generation.close(drainTimeoutMs);
    this.#old.delete(version);
  }

  /**
   * The route for a request. While one version takes over from another, of the one that is less busy; what only one of them
   * has is that one's. Sockets and what runs on main are the new one's: they would not outlast the old.
   */
  find(method: string, url: string): MainRoute | undefined {
    const { router, generation } = this.#current;
    const route = router.find(method, url);
    const before = this.#before;
    if (before === undefined) return route;
    const other = before.router.find(method, url);
    if (route === undefined || other === undefined) return route ?? other;
    if (route.info.kind === "websocket" || route.info.run === "main") return route;
    return before.generation.pressure < generation.pressure ? other : route;
  }
  /** The methods that a path has. */
  allowed(url: string): string[] {
    return this.#current.router.allowed(url);
  }
  get draining(): boolean {
    return this.#draining;
  }
  /** Three starts of threads in a row have failed. */
  get failing(): boolean {
    return this.#before === undefined && this.#current.generation.failing;
  }
  /** Has the app WebSocket routes? */
  get hasSockets(): boolean {
    return this.#current.generation.routes.some((route) => route.info.kind === "websocket");
  }
  /** Takes a request in; its answer goes to its sink. */
  submit(request: InFlight): void {
    const version = this.#versionOf(request) ?? this.#current;
    if (request.route.info.run === "main" && version.mainHost !== undefined) {
      version.mainHost.submit(request);
      return;
    }
    version.generation.wake(request.route.timeoutMs);
    version.generation.dispatcher.submit(request);
  }

  /** A client has gone. */
  clientGone(request: InFlight): void {
    if (request.stage === "settled") return;
    if (request.route.info.run === "main") {
      this.#versionOf(request)?.mainHost?.abort(request);
      request.stage = "settled";
      this.#onSettled(request, 499, "client-gone");
      return;
    }
    (this.#versionOf(request) ?? this.#current).generation.dispatcher.clientGone(request);
  }

  /** Something of a client's for the worker that holds its socket. */
  toSocket(request: InFlight, message: ToWorker): void {
    (this.#versionOf(request) ?? this.#current).generation.dispatcher.toSocket(request, message);
  }

  /** A request was answered before it got here, by main itself. */
  refused(request: InFlight, status: number): void {
    request.stage = "settled";
    this.#onSettled(request, status, this.#draining && status === 503 ? "draining" : "answered");
  }

  /** Is told of each request that has ended. */
  onDone(listener: (record: RequestRecord) => void): void {
    this.#listeners.push(listener);
  }

  /** Tells of a request that has ended; from outside, of one that was no route's. */
  tell(record: RequestRecord): void {
    for (const listener of this.#listeners) listener(record);
  }

  /** Takes no more; resolves when nothing runs any more. */
  async drained(): Promise<void> {
    this.#draining = true;
    await Promise.all(
      [...this.#versions()].map(({ generation, mainHost }) => {
        mainHost?.endEndless();
        return Promise.all([generation.drained(1001), mainHost?.drained()]);
      }),
    );
  }

  /**
   * Remembers how far streamed answers have come. The function that it gives ends the wait for those that have not got on
   * since, though their clients take what there is, and for handlers whose clients have gone.
   */
  watchProgress(): () => void {
    const before = new Map<InFlight, number>();
    for (const { generation } of this.#versions()) {
      for (const link of generation.workers) {
        for (const request of link.requests) if (request?.stage === "streaming") before.set(request, request.pieces);
      }
    }
    for (const { mainHost } of this.#versions()) mainHost?.streams((request) => before.set(request, request.pieces));
    const isStuck = (request: InFlight): boolean => {
      if (request.stage === "settled") return true;
      if (request.stage !== "streaming" || request.socket !== null) return false;
      return !request.stalled && request.piecesWaiting === 0 && before.get(request) === request.pieces;
    };
    return () => {
      for (const { generation, mainHost } of this.#versions()) {
        generation.giveUp(isStuck);
        mainHost?.giveUp(isStuck);
      }
    };
  }

  /** Ends all workers. Resolves to how many had to be terminated. */
  async close(timeoutMs: number): Promise<number> {
    this.#draining = true;
    for (const { mainHost } of this.#versions()) mainHost?.close();
    const counts = await Promise.all([...this.#versions()].map(({ generation }) => generation.close(timeoutMs)));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /** What stands in logs and answers for a request. */
  readonly idOf = (request: InFlight): string =>
    typeof request.id === "string" ? request.id : this.idOfNumber(request.id);
  idOfNumber(number: number): string {
    return this.#idPrefix + number.toString(36);
  }

  /** A snapshot. */
  stats(): EngineStats {
    const { generation } = this.#current;
    let [ready, blocked, sidelined, total, queued, active, takenBack, rerun] = [0, 0, 0, 0, 0, 0, 0, 0];
    for (const version of this.#versions()) {
      const one = version.generation;
      total += one.workers.size + one.startingCount;
      queued += one.dispatcher.queue.length + (version.mainHost?.queued ?? 0);
      active += one.dispatcher.custody.active;
      takenBack += one.dispatcher.custody.takenBack;
      rerun += one.dispatcher.custody.rerun;
      for (const link of one.workers) {
        if (link.state === "ready" && !this.#old.has(version)) ready++;
        if (link.blocked) blocked++;
        if (link.state === "sidelined") sidelined++;
      }
    }
    return {
      workers: { ready, total, wanted: this.#options.maxWorkers, blocked, sidelined },
      queued,
      active,
      routes: generation.routes.map(({ counts, running, cost }) => ({
        ...counts,
        running,
        costUs: cost.samples === 0 ? -1 : cost.costUs,
        kind: cost.kind,
        async: cost.async,
      })),
      outcomes: { ...this.#outcomes },
      restarts: { ...this.#restarts },
      kills: this.#kills,
      placements: this.#placements.map((kinds) => ({ ...kinds })),
      takenBack,
      rerun,
      generation: this.#number,
      draining: this.#draining,
      ready: ready > 0 && !this.#draining && !this.failing,
    };
  }

  get #current(): Version {
    if (this.#version === undefined) throw new HttpError(503, "The server is starting.");
    return this.#version;
  }

  #versionOf(request: InFlight): Version | undefined {
    const { route } = request;
    const current = this.#version;
    if (current?.generation.routes[route.index] === route) return current;
    for (const version of this.#versions()) if (version.generation.routes[route.index] === route) return version;
    return undefined;
  }

  *#versions(): Generator<Version> {
    if (this.#version !== undefined) yield this.#version;
    if (this.#before !== undefined) yield this.#before;
    yield* this.#old;
  }

  async #boot(app: EngineApp, workers: number): Promise<Version> {
    const number = ++this.#number;
    const workerData: WorkerData = { ...this.#options.workerData, app: app.app, plugins: app.plugins };
    const generation = new Generation({
      ...this.#options,
      number,
      workerData,
      placements: this.#placements,
      onSettled: this.#onSettled,
      onRestart: (reason) => void this.#restarts[reason]++,
      onKill: () => void this.#kills++,
      idOf: this.idOf,
    });
    try {
      await generation.start(workers);
    } catch (error) {
      await generation.close(0);
      throw error;
    }
    const router = new Router<MainRoute>();
    for (const route of generation.routes) router.add(route.info.method, route.info.path, route);
    const onMain = generation.routes.some((route) => route.info.run === "main");
    const answers = new Answers({ routes: generation.routes, onSettled: this.#onSettled, idOf: this.idOf });
    const mainHost = onMain
      ? await MainHost.start(workerData, this.#options.receiveLog, answers, this.#options.maxQueue)
      : undefined;
    return { generation, router, mainHost };
  }

  readonly #onSettled = (request: InFlight, status: number, outcome: Outcome): void => {
    this.#outcomes[outcome]++;
    const { counts } = request.route;
    counts.requests++;
    const digit = Math.floor(status / 100);
    counts.byClass[digit] = (counts.byClass[digit] ?? 0) + 1;
    if (this.#listeners.length === 0) return;
    this.tell({
      method: request.method,
      route: counts.path,
      url: request.url,
      status,
      durationMs: performance.now() - request.arrivedAt,
      outcome,
      thread: request.threadName,
      requestId: this.idOf(request),
      ip: request.ip,
    });
  };
}
