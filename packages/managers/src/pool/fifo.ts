/** A first-in, first-out queue with removal and constant cost at any length. */
export class Fifo<T> {
  #items: (T | undefined)[] = [];
  #head = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(item: T): void {
    this.#items.push(item);
    this.#length += 1;
  }

  /** Puts items back in front, in their order. */
  unshift(items: readonly T[]): void {
    if (items.length === 0) return;
    this.#items = [...items, ...this.#items.slice(this.#head)];
    this.#head = 0;
    this.#length += items.length;
  }

  shift(): T | undefined {
    while (this.#head < this.#items.length) {
      const item = this.#items[this.#head];
      this.#items[this.#head] = undefined;
      this.#head += 1;
      if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
        this.#items = this.#items.slice(this.#head);
        this.#head = 0;
      }
      if (item !== undefined) {
        this.#length -= 1;
        return item;
      }
    }
    return undefined;
  }

  peek(): T | undefined {
    while (this.#head < this.#items.length && this.#items[this.#head] === undefined) this.#head += 1;
    return this.#items[this.#head];
  }

  /** Takes out the first item that fits; its place is skipped later. */
  remove(fits: (item: T) => boolean): T | undefined {
    for (let i = this.#head; i < this.#items.length; i++) {
      const item = this.#items[i];
      if (item === undefined || !fits(item)) continue;
      this.#items[i] = undefined;
      this.#length -= 1;
      return item;
    }
    return undefined;
  }

  has(fits: (item: T) => boolean): boolean {
    for (let i = this.#head; i < this.#items.length; i++) {
      const item = this.#items[i];
      if (item !== undefined && fits(item)) return true;
    }
    return false;
  }

  clear(): T[] {
    const items = this.#items.slice(this.#head).filter((item) => item !== undefined) as T[];
    this.#items = [];
    this.#head = 0;
    this.#length = 0;
    return items;
  }
}
