/**
 * How items stand in a ring. Only what arrives exactly as structured clone would deliver it goes there: primitives, byte
 * arrays, and plain objects and arrays of such, nested too (a line, a number, a row). All else goes as a message.
 *
 * An item is a tag and what belongs to it: nothing, a number, or a length (4 bytes) and so many bytes, values, or keys
 * and values. Both ends remember the keys of the objects of the item before, by their place in the item.
 */
export const UNDEFINED = 0;
export const NULL = 1;
export const TRUE = 2;
export const FALSE = 3;
export const INT = 4;
export const DOUBLE = 5;
export const ASCII = 6;
export const UTF16 = 7;
export const BYTES = 8;
export const ARRAY = 9;
export const OBJECT = 10;
/** An object with the same keys, in the same order, as the one in its place in the item before. */
export const SAME_KEYS = 11;

/** The ring's bytes, for what is copied as a whole. */
export function bytesOf(view: DataView): Buffer {
  return Buffer.from(view.buffer as SharedArrayBuffer as unknown as ArrayBuffer, view.byteOffset, view.byteLength);
}
