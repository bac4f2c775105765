import type { ThreadRecord } from "./supervisor.ts";

type Asked = { readonly thread: ThreadRecord; readonly then: () => void; readonly timer: NodeJS.Timeout };

/** A thread that stands still cannot hand over what it has written, and its end need not wait for that. */
const PATIENCE_MS = 250;

/** Waits until what threads have written to their standard streams has come here: a thread that is ended loses the rest. */
export class Outputs {
  readonly #asked = new Map<number, Asked>();
  #number = 0;

  /** Calls `then` once, now or later. */
  written(thread: ThreadRecord, then: () => void): void {
    if (!thread.alive || thread.info === undefined) {
      then(); // it is no more, or has not run anything yet
      return;
    }
    this.#number += 1;
    const number = this.#number;
    const timer = setTimeout(() => this.answered(number), PATIENCE_MS);
    timer.unref();
    this.#asked.set(number, { thread, then, timer });
    thread.post({ t: "written", ask: number });
  }

  answered(number: number): void {
    const asked = this.#asked.get(number);
    if (asked === undefined) return;
    this.#asked.delete(number);
    clearTimeout(asked.timer);
    asked.then();
  }

  threadGone(thread: ThreadRecord): void {
    for (const [number, asked] of this.#asked) if (asked.thread === thread) this.answered(number);
  }
}
