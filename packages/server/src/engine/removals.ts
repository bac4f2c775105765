/** How workers are taken out of service: terminated, set aside, let finish. Each client is told, and each loss is made up for. */
import type { Dispatcher } from "./dispatcher.ts";
import type { GenerationOptions } from "./generation-options.ts";
import type { InFlight, Outcome } from "./in-flight.ts";
import type { WatchdogActions } from "./watchdog.ts";
import type { WorkerLink } from "./worker-link.ts";

const MIB = 1024 * 1024;

export interface RemovalsOptions {
  readonly settings: Pick<GenerationOptions, "memoryLimitMb" | "log" | "onKill" | "onRestart" | "idOf">;
  readonly dispatcher: Dispatcher;
  /** Workers in any state but dead. */
  readonly workers: Iterable<WorkerLink>;
  /** Is there no place for one that comes back? */
  full(): boolean;
  /** It is dead: its requests get their ends. */
  forget(link: WorkerLink, status: 502 | 503, detail: string, outcome: Outcome): void;
  /** One that was ready is so no more. */
  onRemoved(): void;
  /** It is to end with its last request, which may have been long ago. */
  onDraining(link: WorkerLink): void;
}

export class Removals implements WatchdogActions {
  readonly #options: RemovalsOptions;

  constructor(options: RemovalsOptions) {
    this.#options = options;
  }

  kill(link: WorkerLink, culprit: InFlight | undefined, reason: "timeout" | "stuck"): void {
    const { log, idOf } = this.#options.settings;
    const route = culprit === undefined ? "its handler" : culprit.what;
    log.warn(
      { worker: link.name, route, reason, requestId: culprit === undefined ? undefined : idOf(culprit) },
      `Request thread ${link.name} is terminated: ${route} held it past its deadline.`,
    );
    this.#terminate(link, reason, 503, "The thread that ran this request was lost to another one.", "bystander");
  }

  sideline(link: WorkerLink): void {
    if (link.state !== "ready") return;
    const { settings, dispatcher } = this.#options;
    link.state = "sidelined";
    dispatcher.takeBack(link);
    dispatcher.remove(link);
    settings.log.warn(
      { worker: link.name },
      `Request thread ${link.name} is held past a deadline by a kill:"never" route; another one takes its place.`,
    );
    this.#options.onRemoved();
  }

  rejoin(link: WorkerLink): void {
    if (this.#options.full()) {
      this.drain(link, "sidelined");
      return;
    }
    link.state = "ready";
    this.#options.dispatcher.add(link);
  }

  drain(link: WorkerLink, reason: string): void {
    if (link.state === "dead" || link.state === "draining") return;
    const { dispatcher } = this.#options;
    link.state = "draining";
    link.reason = reason;
    dispatcher.takeBack(link);
    dispatcher.remove(link);
    dispatcher.endEndlessOf(link, 1012, "The server replaces its thread");
    this.#options.onRemoved();
    this.#options.onDraining(link);
  }

  outOfMemory(link: WorkerLink): void {
    const { log, memoryLimitMb } = this.#options.settings;
    log.error(
      { worker: link.name, limitMb: memoryLimitMb },
      `Request thread ${link.name} is terminated: it has grown far past memoryLimitMb.`,
    );
    const detail = "The thread that ran this request ran out of memory.";
    this.#terminate(link, "out-of-memory", 502, detail, "worker-died");
  }

  /** It has said how much it holds. */
  grew(link: WorkerLink, bytes: number): void {
    const { log, memoryLimitMb, onRestart } = this.#options.settings;
    if (bytes > memoryLimitMb * MIB * 2) {
      this.outOfMemory(link);
      return;
    }
    if (link.state !== "ready" || bytes < memoryLimitMb * MIB) return;
    // One at a time, so that others are there meanwhile.
    for (const other of this.#options.workers) if (other.state === "draining" && other.reason === "memory") return;
    log.warn(
      { worker: link.name, mebibytes: Math.round(bytes / MIB), limitMb: memoryLimitMb },
      `Request thread ${link.name} has grown past memoryLimitMb; it finishes its requests and is replaced.`,
    );
    onRestart("memory");
    this.drain(link, "memory");
  }

  #terminate(
    link: WorkerLink,
    reason: "timeout" | "stuck" | "out-of-memory",
    status: 502 | 503,
    detail: string,
    outcome: Outcome,
  ): void {
    const { onKill, onRestart } = this.#options.settings;
    onKill();
    onRestart(reason);
    this.#options.forget(link, status, detail, outcome);
    link.hosted.terminate();
    this.#options.onRemoved();
  }
}
