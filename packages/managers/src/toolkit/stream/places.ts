import { PLACED, RESERVED, TAKEN } from "./words.ts";

/** Items that were begun and not yet taken. */
export function itemsIn(words: Int32Array): number {
  return (Atomics.load(words, PLACED) - Atomics.load(words, TAKEN)) | 0;
}

/** The places of a stream as one producing thread takes them. It takes one before it makes the item, so the bound is exact. */
export class Places {
  readonly #words: Int32Array;
  readonly #own: Int32Array;
  readonly #maxSize: number;
  /** As last seen. Read again only where it matters: its line of the cache is the consumer's, which writes at every item. */
  #taken: number;

  /** `own`: the words of the producing thread. `maxSize` 0: no bound. */
  constructor(words: Int32Array, own: Int32Array, maxSize: number) {
    this.#words = words;
    this.#own = own;
    this.#maxSize = maxSize;
    this.#taken = Atomics.load(words, TAKEN);
  }

  /** Takes a place if there is one. */
  reserve(): boolean {
    const words = this.#words;
    for (;;) {
      const placed = Atomics.load(words, PLACED);
      if (this.#isFull(placed)) {
        this.#taken = Atomics.load(words, TAKEN);
        if (this.#isFull(placed)) return false;
      }
      // Nothing may stand between these two: a thread that is terminated there would keep the place for ever.
      if (Atomics.compareExchange(words, PLACED, placed, (placed + 1) | 0) === placed) {
        Atomics.add(this.#own, RESERVED, 1);
        return true;
      }
    }
  }

  /** Gives a place back that no item came to. */
  unreserve(): void {
    Atomics.sub(this.#own, RESERVED, 1);
    Atomics.sub(this.#words, PLACED, 1);
  }

  #isFull(placed: number): boolean {
    return this.#maxSize > 0 && ((placed - this.#taken) | 0) >= this.#maxSize;
  }
}
