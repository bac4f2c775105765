/** The request engine: the current generation of workers, its routes, and what is counted. */
import { HttpError, ServerStateError } from "../errors.ts";
import { Generation } from "./generation.ts";
import type { PoolSettings } from "./generation-options.ts";
import type { InFlight, MainRoute, Outcome } from "./in-flight.ts";
import { MainHost } from "./main-host.ts";
import type { CostClass } from "./route-cost.ts";
import { Router } from "./router.ts";
import type { EngineStats, RequestRecord, RestartReason } from "./stats.ts";
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
  readonly #old = new Set<Generation>();
  #version: Version | undefined;
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
    this.#version = await this.#boot(app);
  }

  /**
   * Replaces all workers with ones that run `app`, dropping nothing that ends within `drainTimeoutMs`. Where the new one
   * cannot start, the old one goes on.
   */
  async reload(app: EngineApp, drainTimeoutMs: number): Promise<void> {
    const next = await this.#boot(app);
    if (this.#draining) {
      await next.generation.close(0);
      throw new ServerStateError("The server was closed while it reloaded.");
    }
    const before = this.#version;
    this.#version = next;
    if (before === undefined) return;
    const { generation } = before;
    this.#old.add(generation);
    before.mainHost?.endEndless();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, drainTimeoutMs);
    });
    await Promise.race([generation.drained(1012), late]);
    clearTimeout(timer);
    await generation.close(drainTimeoutMs);
    this.#old.delete(generation);
  }

  get router(): Router<MainRoute> {
    return this.#current.router;
  }
  get draining(): boolean {
    return this.#draining;
  }
  /** Three starts of threads in a row have failed. */
  get failing(): boolean {
    return this.#current.generation.failing;
  }
  /** Has the app WebSocket routes? */
  get hasSockets(): boolean {
    return this.#current.generation.routes.some((route) => route.info.kind === "websocket");
  }
  /** Takes a request in; its answer goes to its sink. */
  submit(request: InFlight): void {
    const version = this.#current;
    if (request.route.info.run === "main" && version.mainHost !== undefined) {
      version.mainHost.run(request);
      return;
    }
    version.generation.wake(request.route.timeoutMs);
    version.generation.dispatcher.submit(request);
  }

  /** A client has gone. */
  clientGone(request: InFlight): void {
    if (request.stage === "settled") return;
    if (request.route.info.run === "main") {
      this.#current.mainHost?.abort(request);
      request.stage = "settled";
      this.#onSettled(request, 499, "client-gone");
      return;
    }
    this.#generationOf(request).dispatcher.clientGone(request);
  }

  /** Something of a client's for the worker that holds its socket. */
  toSocket(request: InFlight, message: ToWorker): void {
    this.#generationOf(request).dispatcher.toSocket(request, message);
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

  /** Takes no more; resolves when nothing runs any more. */
  async drained(): Promise<void> {
    this.#draining = true;
    this.#version?.mainHost?.endEndless();
    await Promise.all([...this.#generations()].map((generation) => generation.drained(1001)));
  }

  /** Ends all workers. Resolves to how many had to be terminated. */
  async close(timeoutMs: number): Promise<number> {
    this.#draining = true;
    const counts = await Promise.all([...this.#generations()].map((generation) => generation.close(timeoutMs)));
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
    for (const one of this.#generations()) {
      total += one.workers.size + one.startingCount;
      queued += one.dispatcher.queue.length;
      active += one.dispatcher.custody.active;
      takenBack += one.dispatcher.custody.takenBack;
      rerun += one.dispatcher.custody.rerun;
      for (const link of one.workers) {
        if (link.state === "ready" && one === generation) ready++;
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
      ready: ready > 0 && !this.#draining && !generation.failing,
    };
  }

  get #current(): Version {
    if (this.#version === undefined) throw new HttpError(503, "The server is starting.");
    return this.#version;
  }

  #generationOf(request: InFlight): Generation {
    for (const generation of this.#old) if (generation.routes[request.route.index] === request.route) return generation;
    return this.#current.generation;
  }

  *#generations(): Generator<Generation> {
    if (this.#version !== undefined) yield this.#version.generation;
    yield* this.#old;
  }

  async #boot(app: EngineApp): Promise<Version> {
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
      await generation.start();
    } catch (error) {
      await generation.close(0);
      throw error;
    }
    const router = new Router<MainRoute>();
    for (const route of generation.routes) router.add(route.info.method, route.info.path, route);
    const onMain = generation.routes.some((route) => route.info.run === "main");
    const mainHost = onMain ? await MainHost.start(workerData, this.#options.receiveLog, this.#onSettled) : undefined;
    return { generation, router, mainHost };
  }

  readonly #onSettled = (request: InFlight, status: number, outcome: Outcome): void => {
    this.#outcomes[outcome]++;
    const { counts } = request.route;
    counts.requests++;
    const digit = Math.floor(status / 100);
    counts.byClass[digit] = (counts.byClass[digit] ?? 0) + 1;
    if (this.#listeners.length === 0) return;
    const record: RequestRecord = {
      method: request.method,
      route: counts.path,
      url: request.url,
      status,
      durationMs: performance.now() - request.arrivedAt,
      outcome,
      thread: request.threadName,
      requestId: this.idOf(request),
      ip: request.ip,
    };
    for (const listener of this.#listeners) listener(record);
  };
}
