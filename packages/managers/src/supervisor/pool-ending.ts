import * as board from "../board.ts";
import type { StopReport } from "../protocol.ts";

/** The end of a pool: who waits for it, until when, and what it counts meanwhile. */
export class PoolEnding {
  readonly #head: board.Words;
  #resolve: ((report: StopReport) => void) | undefined;
  #promise: Promise<StopReport> | undefined;
  #by = Number.POSITIVE_INFINITY;
  cancelled = 0;
  terminated = 0;

  constructor(head: board.Words) {
    this.#head = head;
  }

  get hasBegun(): boolean {
    return this.#resolve !== undefined;
  }

  begin(): Promise<StopReport> {
    this.#promise ??= new Promise<StopReport>((resolve) => {
      this.#resolve = resolve;
      board.beginStopping(this.#head); // unless whoever stops it has
      // From now on every worker that becomes free says so, since somebody counts as waiting for it.
      Atomics.add(this.#head, board.QUEUED, 1);
    });
    return this.#promise;
  }

  /** Whether this brings the end nearer: a second stop() cannot put it off. */
  endsBy(timeoutMs: number): boolean {
    const until = performance.now() + timeoutMs;
    if (until >= this.#by) return false;
    this.#by = until;
    return true;
  }

  finish(): void {
    Atomics.sub(this.#head, board.QUEUED, 1);
    const completed = Math.max(
      0,
      board.ended(this.#head) - Atomics.load(this.#head, board.ENDED_BEFORE) - this.terminated,
    );
    this.#resolve?.({ completed, cancelled: this.cancelled, terminated: this.terminated });
    this.#resolve = undefined;
  }
}
