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
  TRUE,
  UNDEFINED,
  UTF16,
} from "./item-format.ts";

/** Up to so many characters a loop reads them faster than a call of native code. */
const TINY_TEXT = 8;

/** Reads what `item-writer.ts` has written. */
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
