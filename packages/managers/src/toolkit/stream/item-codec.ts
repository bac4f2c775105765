/**
 * How items are written into a ring. Only what arrives exactly as structured clone would deliver it: primitives, byte
 * arrays, and flat plain objects and arrays of primitives (a line, a number, a row). All else goes as a message.
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
/** An object with the same keys, in the same order, as the one before. */
const SAME_KEYS = 11;

/** Objects and arrays with more fields than this go as messages. */
const MAX_FIELDS = 64;

/** The most bytes a primitive can take; -1: not a primitive that goes here. */
function boundOf(value: unknown): number {
  switch (typeof value) {
    case "number":
      return 9;
    case "string":
      return 5 + 2 * value.length;
    case "boolean":
    case "undefined":
      return 1;
    default:
      return value === null ? 1 : -1;
  }
}

export class ItemWriter {
  readonly #view: DataView;
  readonly #bytes: Buffer;
  #keys: readonly string[] = [];
  #nextKeys: readonly string[] = [];
  /** The fields that `bound` has seen: a getter is called once, as structured clone would. */
  #fields: unknown[] = [];
  #at = 0;

  constructor(view: DataView) {
    this.#view = view;
    this.#bytes = Buffer.from(
      view.buffer as SharedArrayBuffer as unknown as ArrayBuffer,
      view.byteOffset,
      view.byteLength,
    );
  }

  /** The most bytes `value` can take here, or -1 where it has to go as a message. */
  bound(value: unknown): number {
    if (typeof value !== "object" || value === null) return boundOf(value);
    // One over shared memory is to arrive as the same memory.
    if (value instanceof Uint8Array) return value.buffer instanceof ArrayBuffer ? 5 + value.byteLength : -1;
    const isArray = Array.isArray(value);
    if (!isArray) {
      const prototype: unknown = Object.getPrototypeOf(value);
      if (prototype !== Object.prototype && prototype !== null) return -1;
    }
    const keys = Object.keys(value);
    if (keys.length > MAX_FIELDS) return -1;
    // Holes and named fields of arrays are for structured clone.
    if (
      isArray &&
      (keys.length !== (value as readonly unknown[]).length ||
        (keys.length > 0 && keys.at(-1) !== String(keys.length - 1)))
    )
      return -1;
    let bound = 5;
    const same = !isArray && sameKeys(keys, this.#keys);
    const fields = this.#fields;
    fields.length = 0;
    for (const key of keys) {
      const field = (value as Record<string, unknown>)[key];
      const size = boundOf(field);
      if (size < 0 || key === "__proto__") return -1;
      fields.push(field);
      bound += size + (isArray || same ? 0 : 5 + 2 * key.length);
    }
    this.#nextKeys = same ? this.#keys : keys;
    return bound;
  }

  /** Writes what {@link bound} has just been asked about; returns the bytes it took. */
  write(value: unknown, at: number): number {
    this.#at = at;
    if (typeof value !== "object" || value === null) this.#primitive(value);
    else if (value instanceof Uint8Array) {
      this.#head(BYTES, value.byteLength);
      this.#bytes.set(value, this.#at);
      this.#at += value.byteLength;
    } else if (Array.isArray(value)) {
      this.#head(ARRAY, this.#fields.length);
      for (const field of this.#fields) this.#primitive(field);
    } else this.#object();
    return this.#at - at;
  }

  #object(): void {
    const keys = this.#nextKeys;
    if (keys === this.#keys) this.#view.setUint8(this.#at++, SAME_KEYS);
    else {
      this.#head(OBJECT, keys.length);
      for (const key of keys) this.#primitive(key);
      this.#keys = keys;
    }
    for (const field of this.#fields) this.#primitive(field);
  }

  #head(tag: number, length: number): void {
    this.#view.setUint8(this.#at, tag);
    this.#view.setUint32(this.#at + 1, length, true);
    this.#at += 5;
  }

  #primitive(value: unknown): void {
    switch (typeof value) {
      case "number":
        if ((value | 0) === value && !Object.is(value, -0)) {
          this.#view.setUint8(this.#at, INT);
          this.#view.setInt32(this.#at + 1, value, true);
          this.#at += 5;
        } else {
          this.#view.setUint8(this.#at, DOUBLE);
          this.#view.setFloat64(this.#at + 1, value, true);
          this.#at += 9;
        }
        return;
      case "string":
        // As many bytes in UTF-8 as it has characters: ASCII, which is written and read at memcpy's speed.
        if (Buffer.byteLength(value) === value.length) {
          this.#head(ASCII, value.length);
          this.#bytes.write(value, this.#at, "latin1");
          this.#at += value.length;
        } else {
          this.#head(UTF16, value.length * 2); // not UTF-8: a lone surrogate must arrive as it is
          this.#bytes.write(value, this.#at, "utf16le");
          this.#at += value.length * 2;
        }
        return;
      case "boolean":
        this.#view.setUint8(this.#at++, value ? TRUE : FALSE);
        return;
      default:
        this.#view.setUint8(this.#at++, value === null ? NULL : UNDEFINED);
    }
  }
}

function sameKeys(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

export class ItemReader {
  readonly #view: DataView;
  readonly #bytes: Buffer;
  #keys: readonly string[] = [];
  #at = 0;

  constructor(view: DataView) {
    this.#view = view;
    this.#bytes = Buffer.from(
      view.buffer as SharedArrayBuffer as unknown as ArrayBuffer,
      view.byteOffset,
      view.byteLength,
    );
  }

  read(at: number): unknown {
    this.#at = at;
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
      case ASCII: {
        const end = this.#length() + this.#at;
        const text = this.#bytes.toString("latin1", this.#at, end);
        this.#at = end;
        return text;
      }
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
        this.#keys = keys;
        return this.#fields();
      }
      default:
        return this.#fields();
    }
  }

  #fields(): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    for (const key of this.#keys) object[key] = this.#value();
    return object;
  }

  #length(): number {
    this.#at += 4;
    return this.#view.getUint32(this.#at - 4, true);
  }
}
