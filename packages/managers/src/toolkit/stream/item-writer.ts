import {
  ARRAY,
  ASCII,
  BYTES,
  bytesOf,
  DOUBLE,
  FALSE,
  INT,
  NULL,
  OBJECT,
  SAME_KEYS,
  TRUE,
  UNDEFINED,
  UTF16,
} from "./item-format.ts";

/** Items of more objects and arrays go as messages. */
const MAX_CONTAINERS = 32;

/** A tag and a length. */
const HEAD = 5;

/** Up to so many characters a loop writes them faster than a call of native code. */
const SHORT_TEXT = 24;

/** Instead of a length (any below 0 is none): the item is of no kind that goes here, and: it is, but there is no room. */
const OTHER_KIND = -1;
export const NO_ROOM = -2;

/** Writes items into a ring; see item-format.ts. Its counterpart is `item-reader.ts`. */
export class ItemWriter {
  readonly #view: DataView;
  readonly #bytes: Buffer;
  /** The keys of the objects of the items before, by their place in the item. */
  readonly #keys: (readonly string[])[] = [];
  /** The objects and arrays of this item: one that comes twice is to arrive as one, and a cycle has no end. */
  readonly #seen: object[] = [];
  #objects = 0;
  #at = 0;
  #limit = 0;
  #failure = 0;
  #whole = true;

  constructor(view: DataView) {
    this.#view = view;
    this.#bytes = bytesOf(view);
  }

  /** Writes `value` at `at`, and nothing from `limit` on; returns the bytes it took, `OTHER_KIND` or `NO_ROOM`. */
  write(value: unknown, at: number, limit: number): number {
    this.#at = at;
    this.#limit = limit;
    this.#objects = 0;
    this.#seen.length = 0;
    // The reader never saw the keys that an item brought which did not go here, or whose getter threw.
    if (!this.#whole) this.#keys.length = 0;
    this.#whole = false;
    this.#whole = this.#value(value);
    return this.#whole ? this.#at - at : this.#failure;
  }

  /** `false`: it cannot go here, and what was written of it is void. */
  #value(value: unknown): boolean {
    switch (typeof value) {
      case "number":
        return this.#number(value);
      case "string":
        return this.#text(value);
      case "boolean":
        return this.#tag(value ? TRUE : FALSE);
      case "undefined":
        return this.#tag(UNDEFINED);
      case "object":
        if (value === null) return this.#tag(NULL);
        if (value instanceof Uint8Array) return this.#copy(value);
        if (!this.#isNew(value)) return this.#isOther();
        return Array.isArray(value) ? this.#array(value) : this.#object(value as Record<string, unknown>);
      default:
        return this.#isOther();
    }
  }

  #array(array: readonly unknown[]): boolean {
    const { length } = array;
    // A bound for the look at its keys as well: holes and named fields are for structured clone.
    if (!this.#fits(HEAD + length)) return false;
    const keys = Object.keys(array);
    if (keys.length !== length || (length > 0 && keys[length - 1] !== String(length - 1))) return this.#isOther();
    this.#head(ARRAY, length);
    for (let i = 0; i < length; i++) if (!this.#value(array[i])) return false;
    return true;
  }

  #object(object: Record<string, unknown>): boolean {
    const prototype: unknown = Object.getPrototypeOf(object);
    if (prototype !== Object.prototype && prototype !== null) return this.#isOther();
    const place = this.#objects++;
    let keys = this.#keys[place];
    if (keys !== undefined && hasKeys(object, keys)) {
      if (!this.#tag(SAME_KEYS)) return false;
    } else {
      keys = Object.keys(object);
      if (keys.includes("__proto__")) return this.#isOther();
      if (!this.#fits(HEAD)) return false;
      this.#head(OBJECT, keys.length);
      for (const key of keys) if (!this.#text(key)) return false;
      this.#keys[place] = keys;
    }
    for (const key of keys) if (!this.#value(object[key])) return false;
    return true;
  }

  #copy(value: Uint8Array): boolean {
    // One over shared memory is to arrive as the same memory, two over the same memory as two over the same.
    if (!(value.buffer instanceof ArrayBuffer) || !this.#isNew(value.buffer)) return this.#isOther();
    if (!this.#fits(HEAD + value.byteLength)) return false;
    this.#head(BYTES, value.byteLength);
    this.#bytes.set(value, this.#at);
    this.#at += value.byteLength;
    return true;
  }

  #number(value: number): boolean {
    if (!this.#fits(9)) return false;
    if ((value | 0) === value && !Object.is(value, -0)) {
      this.#view.setUint8(this.#at, INT);
      this.#view.setInt32(this.#at + 1, value, true);
      this.#at += 5;
    } else {
      this.#view.setUint8(this.#at, DOUBLE);
      this.#view.setFloat64(this.#at + 1, value, true);
      this.#at += 9;
    }
    return true;
  }

  #text(text: string): boolean {
    const { length } = text;
    if (!this.#fits(HEAD + length)) return false;
    // As many bytes in UTF-8 as it has characters: ASCII, which is written and read at memcpy's speed.
    if (length <= SHORT_TEXT ? this.#shortAscii(text) : Buffer.byteLength(text) === length) {
      this.#head(ASCII, length);
      if (length > SHORT_TEXT) this.#bytes.write(text, this.#at, "latin1");
      this.#at += length;
      return true;
    }
    if (!this.#fits(HEAD + 2 * length)) return false;
    this.#head(UTF16, 2 * length); // not UTF-8: a lone surrogate must arrive as it is
    this.#bytes.write(text, this.#at, "utf16le");
    this.#at += 2 * length;
    return true;
  }

  /** Puts the characters to where they belong behind the head; `false`: one of them is not ASCII. */
  #shortAscii(text: string): boolean {
    const begin = this.#at + HEAD;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code > 127) return false;
      this.#bytes[begin + i] = code;
    }
    return true;
  }

  #tag(tag: number): boolean {
    if (!this.#fits(1)) return false;
    this.#view.setUint8(this.#at++, tag);
    return true;
  }

  #head(tag: number, length: number): void {
    this.#view.setUint8(this.#at, tag);
    this.#view.setUint32(this.#at + 1, length, true);
    this.#at += HEAD;
  }

  #isNew(container: object): boolean {
    const seen = this.#seen;
    return seen.length < MAX_CONTAINERS && !seen.includes(container) && seen.push(container) > 0;
  }

  #fits(bytes: number): boolean {
    if (this.#at + bytes <= this.#limit) return true;
    this.#failure = NO_ROOM;
    return false;
  }

  #isOther(): false {
    this.#failure = OTHER_KIND;
    return false;
  }
}

/** Whether these are its keys, in this order. Makes no list of them, as Object.keys would. */
function hasKeys(object: object, keys: readonly string[]): boolean {
  let at = 0;
  for (const key in object) if (keys[at++] !== key) return false;
  return at === keys.length;
}
