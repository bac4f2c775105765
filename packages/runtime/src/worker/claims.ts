/**
 * The words by which a submitter takes a task back that it has sent ahead to a busy worker: either it is withdrawn or it
 * begins, and both sides know at once which. Blocks of words are shared as they are needed and dropped when they are
 * used up.
 */
import type { Claims } from "../wire/messages.ts";

const BLOCK = 1024;

const OPEN = 0;
const BEGUN = 1;
const WITHDRAWN = 2;

/** The submitter's side: numbers its tasks and hands out their words. */
export class ClaimBook {
  readonly #blocks = new Map<number, { readonly words: Int32Array; left: number }>();
  #fresh: (readonly [number, Int32Array])[] = [];
  #next = 0;

  /** The number of the next task. */
  take(): number {
    const order = this.#next++;
    if (order % BLOCK === 0) {
      const words = new Int32Array(new SharedArrayBuffer(BLOCK * 4));
      this.#blocks.set(order / BLOCK, { words, left: BLOCK });
      this.#fresh.push([order / BLOCK, words]);
    }
    return order;
  }

  /** What the worker is told beside its tasks, of which `from` is the first. */
  claims(from: number): Claims {
    const blocks = this.#fresh;
    if (blocks.length > 0) this.#fresh = [];
    return { from, blocks };
  }

  /** What was to tell the worker could not be sent. */
  restore({ blocks }: Claims): void {
    this.#fresh.unshift(...blocks);
  }

  /** Whether the worker does not know the words of the latest tasks yet. */
  get hasFresh(): boolean {
    return this.#fresh.length > 0;
  }

  /** Takes a task back. `false`: it has begun. */
  withdraw(order: number): boolean {
    const block = this.#blocks.get(Math.floor(order / BLOCK));
    return block !== undefined && Atomics.compareExchange(block.words, order % BLOCK, OPEN, WITHDRAWN) === OPEN;
  }

  /** How many blocks are in use. */
  get size(): number {
    return this.#blocks.size;
  }

  /** Nothing more will be asked of this task. */
  close(order: number): void {
    const block = this.#blocks.get(Math.floor(order / BLOCK));
    if (block !== undefined && --block.left === 0) this.#blocks.delete(Math.floor(order / BLOCK));
  }
}

/** The worker's side. Tasks begin in the order of their numbers. */
export class ClaimReader {
  readonly #blocks = new Map<number, Int32Array>();

  learn({ blocks }: Claims): void {
    for (const [block, words] of blocks) this.#blocks.set(block, words);
  }

  /** Begins a task, if it was not withdrawn. */
  claim(order: number): boolean {
    const block = Math.floor(order / BLOCK);
    const words = this.#blocks.get(block) as Int32Array;
    if (order % BLOCK === BLOCK - 1) this.#blocks.delete(block);
    return Atomics.compareExchange(words, order % BLOCK, OPEN, BEGUN) === OPEN;
  }
}
