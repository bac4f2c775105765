import { ItemReader } from "./item-reader.ts";
import { ItemWriter, NO_ROOM } from "./item-writer.ts";
import { PUBLISHED, READ, RING_HEAD_WORDS, WRITTEN } from "./words.ts";

/**
 * A ring of bytes in shared memory with one writer and one reader: where the small, plain items of a stream go. An item
 * is there for the reader in the moment it is written, whatever the writer's thread does next; a message per item would
 * cost five times as much, and messages that wait to be sent together would wait for a body that stands still.
 *
 * An entry: its length in bytes and the item's number (4 bytes each), then the item. Entries begin at multiples of 8 and
 * never wrap: the rest of the ring is skipped.
 */
const HEADER = 8;
const SKIP = 0xffffffff;

export function newRing(maxSize: number): Int32Array {
  // A short window needs no long ring; what does not fit goes as a message.
  const wanted = maxSize === 0 ? 1024 : Math.min(maxSize, 1024);
  const bytes = 2 ** Math.ceil(Math.log2(Math.max(1024, wanted * 256)));
  return new Int32Array(new SharedArrayBuffer(RING_HEAD_WORDS * 4 + bytes));
}

export class RingWriter {
  readonly #words: Int32Array;
  readonly #size: number;
  readonly #view: DataView;
  readonly #items: ItemWriter;
  #written = 0;
  /** How far the reader was when that was last looked at. A look costs more than to write a small item. */
  #read = 0;

  constructor(words: Int32Array) {
    this.#words = words;
    const start = RING_HEAD_WORDS * 4;
    this.#size = words.byteLength - start;
    this.#view = new DataView(words.buffer, start);
    this.#items = new ItemWriter(this.#view);
  }

  /** `false`: the item is of no kind that goes here, or there is no room for it now. */
  write(seq: number, value: unknown): boolean {
    let length = this.#write(seq, value);
    if (length === NO_ROOM && this.#hasRead()) length = this.#write(seq, value);
    return length >= 0;
  }

  /** Whether the reader has gone on since it was last looked at. */
  #hasRead(): boolean {
    const read = Atomics.load(this.#words, READ);
    if (read === this.#read) return false;
    this.#read = read;
    return true;
  }

  /** The item's length, or why it is not there. */
  #write(seq: number, value: unknown): number {
    const at = this.#written & (this.#size - 1);
    const free = this.#size - ((this.#written - this.#read) >>> 0);
    const rest = this.#size - at;
    let begin = at;
    let length = this.#writeItem(value, at, Math.min(free, rest));
    if (length === NO_ROOM && free > rest) {
      begin = 0;
      length = this.#writeItem(value, 0, free - rest);
    }
    if (length < 0) return length;
    const skip = begin === at ? 0 : rest;
    if (skip > 0) this.#view.setUint32(at, SKIP, true);
    this.#view.setUint32(begin, length, true);
    this.#view.setUint32(begin + 4, seq, true);
    this.#written = (this.#written + skip + ((HEADER + length + 7) & ~7)) >>> 0;
    Atomics.add(this.#words, PUBLISHED, 1);
    Atomics.store(this.#words, WRITTEN, this.#written | 0);
    return length;
  }

  #writeItem(value: unknown, begin: number, room: number): number {
    return room < HEADER ? NO_ROOM : this.#items.write(value, begin + HEADER, begin + room);
  }
}

/** There was nothing to read. */
export const NOTHING: unique symbol = Symbol("nothing");

export class RingReader {
  readonly #words: Int32Array;
  readonly #size: number;
  readonly #view: DataView;
  readonly #items: ItemReader;
  #read = 0;
  /** How far the writer was when it was last looked at. */
  #written = 0;

  constructor(words: Int32Array) {
    this.#words = words;
    const start = RING_HEAD_WORDS * 4;
    this.#size = words.byteLength - start;
    this.#view = new DataView(words.buffer, start);
    this.#items = new ItemReader(this.#view);
  }

  /** Whether item `seq` is here. */
  has(seq: number): boolean {
    if (!this.#hasMore()) return false;
    let at = this.#read & (this.#size - 1);
    if (this.#view.getUint32(at, true) === SKIP) {
      this.#read = (this.#read + this.#size - at) >>> 0;
      if (!this.#hasMore()) return false;
      at = 0;
    }
    return this.#view.getUint32(at + 4, true) === seq >>> 0;
  }

  #hasMore(): boolean {
    if (this.#read !== this.#written) return true;
    this.#written = Atomics.load(this.#words, WRITTEN) >>> 0;
    return this.#read !== this.#written;
  }

  /** The next item; only after {@link has} said that it is here. */
  take(): unknown {
    const at = this.#read & (this.#size - 1);
    const length = this.#view.getUint32(at, true);
    const value = this.#items.read(at + HEADER);
    this.#read = (this.#read + ((HEADER + length + 7) & ~7)) >>> 0;
    Atomics.store(this.#words, READ, this.#read | 0);
    return value;
  }
}
