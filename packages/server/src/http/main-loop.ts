/** Watches main's event loop while it serves: everything goes through it, so what holds it holds every client. */
import { performance } from "node:perf_hooks";
import type { Logger } from "pino";

/** How main's event loop has fared in the last ten seconds. */
export interface MainLoopStats {
  /** How late its timers ran, on average. */
  readonly meanLagMs: number;
  readonly maxLagMs: number;
  /** The part of its time in which it had something to do, 0 to 1. */
  readonly utilization: number;
}

const BEAT_MS = 50;
const WINDOW_MS = 1000;
const WINDOWS = 10;
/** Standing still for longer is worth a line: no request was even read meanwhile. */
const WORTH_A_LINE_MS = 250;

/** One second of it. */
class Window {
  readonly #used = performance.eventLoopUtilization();
  readonly since: number;
  #beats = 0;
  #sum = 0;
  #max = 0;

  constructor(now: number) {
    this.since = now;
  }
  beat(lagMs: number): void {
    this.#beats++;
    this.#sum += lagMs;
    this.#max = Math.max(this.#max, lagMs);
  }
  read(): MainLoopStats {
    return {
      meanLagMs: this.#beats === 0 ? 0 : this.#sum / this.#beats,
      maxLagMs: this.#max,
      utilization: performance.eventLoopUtilization(this.#used).utilization,
    };
  }
}

/** A timer of its own: Node's histogram of delays forgets, when it is reset, a delay that has not ended. */
export class MainLoop {
  readonly #log: Pick<Logger, "warn">;
  #timer: NodeJS.Timeout | undefined;
  #window: Window = new Window(performance.now());
  #past: readonly MainLoopStats[] = [];
  #last = 0;
  #quietUntil = 0;

  constructor(log: Pick<Logger, "warn">) {
    this.#log = log;
  }

  start(): void {
    this.#last = performance.now();
    this.#window = new Window(this.#last);
    this.#timer = setInterval(() => this.#beat(performance.now()), BEAT_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  read(): MainLoopStats {
    const windows = [...this.#past, this.#window.read()];
    const mean = (of: (window: MainLoopStats) => number): number =>
      windows.reduce((sum, window) => sum + of(window), 0) / windows.length;
    return {
      meanLagMs: mean((window) => window.meanLagMs),
      maxLagMs: Math.max(...windows.map((window) => window.maxLagMs)),
      utilization: mean((window) => window.utilization),
    };
  }

  #beat(now: number): void {
    const lagMs = Math.max(0, now - this.#last - BEAT_MS);
    this.#last = now;
    this.#window.beat(lagMs);
    if (lagMs >= WORTH_A_LINE_MS && now >= this.#quietUntil) {
      this.#quietUntil = now + WINDOWS * WINDOW_MS;
      this.#log.warn(
        { lagMs: Math.round(lagMs) },
        `Main's event loop stood still for ${Math.round(lagMs)} ms: look at plugins' hooks and at routes with run: "main"; or the machine has too little to give.`,
      );
    }
    if (now - this.#window.since < WINDOW_MS) return;
    this.#past = [...this.#past.slice(1 - WINDOWS), this.#window.read()];
    this.#window = new Window(now);
  }
}
