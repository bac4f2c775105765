/** Tells main now and then how much the thread holds and how busy its loop was: only while there is traffic. */
import type { FromWorker } from "../wire.ts";

const EVERY_MS = 250;

export class Vitals {
  readonly #post: (message: FromWorker) => void;
  #timer: NodeJS.Timeout | undefined;
  #quiet = true;
  #loop = performance.eventLoopUtilization();

  constructor(post: (message: FromWorker) => void) {
    this.#post = post;
  }

  /** There was traffic. */
  beat(): void {
    this.#quiet = false;
    if (this.#timer !== undefined) return;
    this.#timer = setInterval(this.#tick, EVERY_MS);
    this.#timer.unref();
  }
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  readonly #tick = (): void => {
    const memory = process.memoryUsage();
    const loop = performance.eventLoopUtilization();
    const busy = performance.eventLoopUtilization(loop, this.#loop).utilization;
    this.#loop = loop;
    // `external` holds the Buffers too, which resource limits do not count.
    this.#post({ type: "vitals", heapBytes: memory.heapUsed, externalBytes: memory.external, busy });
    if (this.#quiet) this.stop();
    this.#quiet = true;
  };
}
