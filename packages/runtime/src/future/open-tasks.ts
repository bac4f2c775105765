/**
 * The unsettled tasks of a thread by their numbers, which only grow. In blocks instead of a Map: a hundred thousand
 * waiting tasks cost each other nothing, and what was settled long ago leaves nothing behind.
 */
const BLOCK = 512;

type Block<T> = { readonly items: (T | undefined)[]; left: number };

export class OpenTasks<T> {
  readonly #blocks = new Map<number, Block<T>>();
  /** The block that was used last. */
  #recent: Block<T> | undefined;
  #recentNumber = -1;
  /** The block of the highest number so far. It stays when it is empty: one task at a time must not make one each. */
  #latest = -1;

  set(number: number, item: T): void {
    let block = this.#block(number);
    if (block === undefined) {
      block = { items: new Array<T | undefined>(BLOCK).fill(undefined), left: 0 };
      this.#begin(Math.floor(number / BLOCK), block);
    }
    block.items[number % BLOCK] = item;
    block.left += 1;
  }

  get(number: number): T | undefined {
    return this.#block(number)?.items[number % BLOCK];
  }

  /** `false`: there was none. */
  delete(number: number): boolean {
    const block = this.#block(number);
    if (block?.items[number % BLOCK] === undefined) return false;
    block.items[number % BLOCK] = undefined;
    block.left -= 1;
    if (block.left === 0 && Math.floor(number / BLOCK) !== this.#latest) this.#drop(Math.floor(number / BLOCK));
    return true;
  }

  /** In the order of their numbers. */
  *values(): Iterable<T> {
    for (const { items } of [...this.#blocks.values()]) for (const item of items) if (item !== undefined) yield item;
  }

  #begin(which: number, block: Block<T>): void {
    const before = this.#latest;
    this.#blocks.set(which, block);
    this.#latest = which;
    this.#recentNumber = -1;
    if (this.#blocks.get(before)?.left === 0) this.#drop(before);
  }

  #drop(which: number): void {
    this.#blocks.delete(which);
    this.#recent = undefined;
    this.#recentNumber = -1;
  }

  #block(number: number): Block<T> | undefined {
    const which = Math.floor(number / BLOCK);
    if (which !== this.#recentNumber) {
      this.#recent = this.#blocks.get(which);
      this.#recentNumber = this.#recent === undefined ? -1 : which;
    }
    return this.#recent;
  }
}
