/** A queue whose push and shift cost the same at ten entries and at a hundred thousand. */
export class Deque<T> {
  #cells: (T | undefined)[] = new Array(16);
  #head = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }
  push(value: T): void {
    if (this.#length === this.#cells.length) this.#grow();
    this.#cells[(this.#head + this.#length) & (this.#cells.length - 1)] = value;
    this.#length++;
  }
  /** Puts a value in front: it was here before and comes first again. */
  unshift(value: T): void {
    if (this.#length === this.#cells.length) this.#grow();
    this.#head = (this.#head - 1) & (this.#cells.length - 1);
    this.#cells[this.#head] = value;
    this.#length++;
  }
  peek(): T | undefined {
    return this.#length === 0 ? undefined : this.#cells[this.#head];
  }
  shift(): T | undefined {
    if (this.#length === 0) return undefined;
    const value = this.#cells[this.#head];
    this.#cells[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#cells.length - 1);
    this.#length--;
    return value;
  }

  #grow(): void {
    const cells: (T | undefined)[] = new Array(this.#cells.length * 2);
    for (let i = 0; i < this.#length; i++) cells[i] = this.#cells[(this.#head + i) & (this.#cells.length - 1)];
    this.#cells = cells;
    this.#head = 0;
  }
}
