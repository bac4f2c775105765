import type { ThreadRecord } from "@duck-ts/runtime/internal";
import * as board from "../board.ts";

type Expected = { readonly batches: number; readonly tasks: number };

/**
 * Tasks that submitters had sent to workers that have ended, and that are on their way back: nobody but the submitter
 * knows which of them had begun. Until they are here the pool is not empty.
 */
export class Returning {
  readonly #head: board.Words;
  readonly #expected = new Map<ThreadRecord, Expected>();

  constructor(head: board.Words) {
    this.#head = head;
  }

  get expected(): boolean {
    return this.#expected.size > 0;
  }

  /** A worker has ended that had `tasks` of that submitter. */
  expect(from: ThreadRecord, tasks: number): void {
    const before = this.#expected.get(from) ?? { batches: 0, tasks: 0 };
    this.#expected.set(from, { batches: before.batches + 1, tasks: before.tasks + tasks });
    if (!from.alive) this.threadGone(from);
  }

  /** The submitter has sent back what there was. */
  came(from: ThreadRecord): void {
    const before = this.#expected.get(from);
    if (before === undefined) return;
    if (before.batches === 1) this.#expected.delete(from);
    else this.#expected.set(from, { batches: before.batches - 1, tasks: before.tasks });
  }

  /** It will not send anything back any more. */
  threadGone(thread: ThreadRecord): void {
    const lost = this.#expected.get(thread)?.tasks ?? 0;
    this.#expected.delete(thread);
    Atomics.add(this.#head, board.CANCELLED, lost);
    Atomics.sub(this.#head, board.OUTSTANDING, lost);
  }

  /** Waits for nobody any more. Returns how many tasks that gives up. */
  clear(): number {
    let tasks = 0;
    for (const expected of this.#expected.values()) tasks += expected.tasks;
    this.#expected.clear();
    return tasks;
  }
}
