/**
 * How items are written into a ring. Only what arrives exactly as structured clone would deliver it: primitives, byte
 * arrays, and plain objects and arrays of such, nested too (a line, a number, a row). All else goes as a message.
 */

const UNDEFINED = 0;
const NULL = 1;
const TRUE = 2;
const FALSE = 3;
const INT = 4;
const DOUBLE = 5;
const ASCII = 6;
const UTF16 = 7;
const BYTES = 8;
const ARRAY = 9;
const OBJECT = 10;
/** An object with the same keys, in the same order, as the one in its place in the item before. */
const SAME_KEYS = 11;

/** Items of more objects and arrays go as messages. */
const MAX_CONTAINERS = 32;

/** A tag and a length. */
const HEAD = 5;

/** Up to so many characters a loop writes them faster than a call of native code, and reads them. */
const SHORT_TEXT = 24;
const TINY_TEXT = 8;

/** Instead of a length (any below 0 is none): the item is of no kind that goes here, and: it is, but there is no room. */
const OTHER_KIND = -1;
export const NO_ROOM = -2;

/** The ring's bytes, for what is copied as a whole. */
function bytesOf(view: DataView): Buffer {
  return Buffer.from(view.buffer as SharedArrayBuffer as unknown as ArrayBuffer, view.byteOffset, view.byteLength);
}

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

export class ItemReader {
  readonly #view: DataView;
  readonly #bytes: Buffer;
  readonly #keys: (readonly string[])[] = [];
  #objects = 0;
  #at = 0;

  constructor(view: DataView) {
    this.#view = view;
    this.#bytes = bytesOf(view);
  }

  read(at: number): unknown {
    this.#at = at;
    this.#objects = 0;
    return this.#value();
  }

  #value(): unknown {
    const tag = this.#view.getUint8(this.#at++);
    switch (tag) {
      case UNDEFINED:
        return undefined;
      case NULL:
        return null;
      case TRUE:
        return true;
      case FALSE:
        return false;
      case INT:
        this.#at += 4;
        return this.#view.getInt32(this.#at - 4, true);
      case DOUBLE:
        this.#at += 8;
        return this.#view.getFloat64(this.#at - 8, true);
      case ASCII:
        return this.#ascii(this.#length());
      case UTF16: {
        const end = this.#length() + this.#at;
        const text = this.#bytes.toString("utf16le", this.#at, end);
        this.#at = end;
        return text;
      }
      case BYTES: {
        const length = this.#length();
        const bytes = new Uint8Array(length);
        bytes.set(this.#bytes.subarray(this.#at, this.#at + length));
        this.#at += length;
        return bytes;
      }
      case ARRAY: {
        const length = this.#length();
        const array: unknown[] = [];
        for (let i = 0; i < length; i++) array.push(this.#value());
        return array;
      }
      case OBJECT: {
        const length = this.#length();
        const keys: string[] = [];
        for (let i = 0; i < length; i++) keys.push(this.#value() as string);
        this.#keys[this.#objects] = keys;
        return this.#fields();
      }
      default:
        return this.#fields();
    }
  }

  #fields(): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    for (const key of this.#keys[this.#objects++] as readonly string[]) object[key] = this.#value();
    return object;
  }

  #ascii(length: number): string {
    const view = this.#view;
    let at = this.#at;
    const end = at + length;
    this.#at = end;
    if (length > TINY_TEXT) return this.#bytes.toString("latin1", at, end);
    let text = "";
    for (; at + 4 <= end; at += 4)
      text += String.fromCharCode(
        view.getUint8(at),
        view.getUint8(at + 1),
        view.getUint8(at + 2),
        view.getUint8(at + 3),
      );
    for (; at < end; at++) text += String.fromCharCode(view.getUint8(at));
    return text;
  }

  #length(): number {
    this.#at += 4;
    return this.#view.getUint32(this.#at - 4, true);
  }
}
