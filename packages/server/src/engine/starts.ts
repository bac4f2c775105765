/** How workers come to be: as many as are wanted, again after a failure, never in a storm. Knows neither requests nor routes. */
import { WorkerStartError } from "../errors.ts";
import type { EngineLog } from "./generation-options.ts";
import type { WorkerExit } from "./host-pool.ts";
import { SpawnPolicy } from "./spawn-policy.ts";

export interface StartsOptions {
  /** Starts one more; it is heard of again by `started` or `failed`. */
  spawn(): void;
  /** How many more are wanted than are ready; those on their way are counted here. */
  wanted(): number;
  /** How long one may take; said where it took longer. */
  readonly timeoutMs: number;
  readonly log: EngineLog;
}

export class Starts {
  /** On their way. */
  count = 0;
  readonly #options: StartsOptions;
  readonly #policy = new SpawnPolicy();
  readonly #timers = new Set<NodeJS.Timeout>();
  #stopped = false;
  #first: { resolve(): void; reject(error: Error): void } | undefined;

  constructor(options: StartsOptions) {
    this.#options = options;
  }

  /** Three starts in a row have failed. */
  get failing(): boolean {
    return this.#policy.failing;
  }

  /** Starts one, alone; resolves when it is ready. @throws {WorkerStartError} when it cannot start: it is not tried again. */
  first(): Promise<void> {
    const ready = new Promise<void>((resolve, reject) => {
      this.#first = { resolve, reject };
    });
    this.#spawn();
    return ready;
  }

  /** Starts what is lacking, now or after a while. */
  ensure(delayMs = 0): void {
    if (delayMs === 0) {
      while (!this.#stopped && this.count < this.#options.wanted()) this.#spawn();
      return;
    }
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.ensure();
    }, delayMs);
    this.#timers.add(timer);
  }

  /** One is ready. */
  started(): void {
    this.count--;
    this.#policy.started();
    this.#first?.resolve();
    this.#first = undefined;
  }

  /** One ended before it was ready, or was ended because it took too long. */
  failed(exit: WorkerExit): void {
    this.count--;
    if (this.#stopped) return;
    const error = new WorkerStartError(`A request thread could not start: ${this.#why(exit)}`, { cause: exit.error });
    if (this.#first !== undefined) {
      this.#first.reject(error);
      this.#first = undefined;
      return;
    }
    const wasFailing = this.failing;
    const delayMs = this.#policy.failedToStart();
    if (!wasFailing) {
      const { log } = this.#options;
      log.error({ err: exit.error ?? error, retryInMs: delayMs }, error.message);
      if (this.failing) log.error({}, "Request threads cannot start, three times in a row: the server is not ready.");
    }
    this.ensure(delayMs);
  }

  /** One that was ready has died by itself. */
  died(): void {
    this.ensure(this.#policy.died(performance.now()));
  }

  /** No more are started. */
  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  #why({ late, error, reason, exitCode }: WorkerExit): string {
    if (late === true) {
      return `it was not ready after ${this.#options.timeoutMs} ms: the app's top level, or an onWorkerStart, has not finished.`;
    }
    return error?.message ?? `it ended with ${reason}, exit code ${exitCode ?? "unknown"}`;
  }

  #spawn(): void {
    if (this.#stopped) return;
    this.count++;
    this.#options.spawn();
  }
}
