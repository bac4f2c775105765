/**
 * Answers that need no message. A worker writes a scalar (but for a long text) into memory that it shares with the
 * submitter, who reads it when it looks: nothing is lost if the worker dies right after, nothing waits behind the
 * worker's next task, and a thousand answers cost one wake-up. One writer, one reader; the positions only grow (and wrap at 2^32).
 */
export type AnswerRing = Int32Array;

const WRITTEN = 0;
const READ = 1;
/** Whether the reader wants a message when something has been written: it has read everything and will not look by itself. */
const RESTING = 2;
/** How many messages the reader of the ring has posted to its writer: a writer that lingers sees the next one here. */
export const POSTED = 3;
/** How many messages its writer has posted to its reader. */
const MAILED = 4;
const HEADER = 5;
/** In words; a power of two. */
const CAPACITY = 16384;
const MASK = CAPACITY - 1;
/** In UTF-16 units. A longer string is a text: copied natively, which costs more than a loop for less. */
const LONGEST_STRING = 256;
/** In words. A longer text travels in a message. */
const LONGEST_TEXT = CAPACITY / 4;
const LARGEST_CALL = 0x7fffffff;

const UNDEFINED = 0;
const NULL = 1;
const FALSE = 2;
const TRUE = 3;
const INTEGER = 4;
const DOUBLE = 5;
const STRING = 6;
/** A byte a character. */
const NARROW_TEXT = 7;
/** Two bytes a character. */
const WIDE_TEXT = 8;
const TAG_BITS = 4;

/** Whether a string has characters that a byte cannot hold. Takes no time where V8 keeps it as bytes, which most are. */
const wide = /[\u0100-\uffff]/;

const double = new Float64Array(1);
const halves = new Int32Array(double.buffer);

export function newAnswerRing(): AnswerRing {
  const ring = new Int32Array(new SharedArrayBuffer((HEADER + CAPACITY) * 4));
  ring[RESTING] = 1;
  return ring;
}

/** Writes an answer. `false`: it is not for the ring, or there is no room. */
export function writeAnswer(ring: AnswerRing, callId: number, value: unknown): boolean {
  if (callId > LARGEST_CALL) return false;
  let tag: number;
  let length = 2;
  switch (typeof value) {
    case "undefined":
      tag = UNDEFINED;
      break;
    case "boolean":
      tag = value ? TRUE : FALSE;
      break;
    case "number":
      double[0] = value;
      tag = (value | 0) === value && !Object.is(value, -0) ? INTEGER : DOUBLE;
      length = tag === INTEGER ? 3 : 4;
      break;
    case "string":
      if (value.length > LONGEST_STRING) return writeText(ring, callId, value);
      tag = STRING | (value.length << TAG_BITS);
      length = 2 + ((value.length + 1) >> 1);
      break;
    default:
      if (value !== null) return false;
      tag = NULL;
  }
  const at = ring[WRITTEN] as number;
  if (((at - Atomics.load(ring, READ)) | 0) + length > CAPACITY) return false;
  put(ring, at, callId);
  put(ring, at + 1, tag);
  if (typeof value === "string") putString(ring, at + 2, value);
  else if (tag === INTEGER) put(ring, at + 2, value as number);
  else if (tag === DOUBLE) {
    put(ring, at + 2, halves[0] as number);
    put(ring, at + 3, halves[1] as number);
  }
  Atomics.store(ring, WRITTEN, (at + length) | 0);
  return true;
}

function writeText(ring: AnswerRing, callId: number, text: string): boolean {
  if (text.length > LONGEST_TEXT * 4) return false;
  const isWide = wide.test(text);
  const words = textWords(text.length, isWide);
  if (words > LONGEST_TEXT) return false;
  const at = ring[WRITTEN] as number;
  const from = textAt(at + 2, words);
  const end = from + words;
  if (((end - Atomics.load(ring, READ)) | 0) > CAPACITY) return false;
  put(ring, at, callId);
  put(ring, at + 1, (isWide ? WIDE_TEXT : NARROW_TEXT) | (text.length << TAG_BITS));
  const bytes = bytesOf(ring);
  if (isWide) bytes.write(text, byteAt(from), "utf16le");
  else bytes.write(text, byteAt(from), "latin1");
  Atomics.store(ring, WRITTEN, end | 0);
  return true;
}

/** Gives `take` every answer that is there, in their order; returns how many. */
export function readAnswers(ring: AnswerRing, take: (callId: number, value: unknown) => void): number {
  let count = 0;
  for (let at = ring[READ] as number; at !== Atomics.load(ring, WRITTEN); count++) {
    const callId = get(ring, at);
    const tag = get(ring, at + 1);
    let value: unknown;
    let length = 2;
    const kind = tag & ((1 << TAG_BITS) - 1);
    switch (kind) {
      case NULL:
        value = null;
        break;
      case FALSE:
        value = false;
        break;
      case TRUE:
        value = true;
        break;
      case INTEGER:
        value = get(ring, at + 2);
        length = 3;
        break;
      case DOUBLE:
        halves[0] = get(ring, at + 2);
        halves[1] = get(ring, at + 3);
        value = double[0];
        length = 4;
        break;
      case STRING: {
        const units = tag >>> TAG_BITS;
        value = getString(ring, at + 2, units);
        length = 2 + ((units + 1) >> 1);
        break;
      }
      case NARROW_TEXT:
      case WIDE_TEXT: {
        const isWide = kind === WIDE_TEXT;
        const characters = tag >>> TAG_BITS;
        const words = textWords(characters, isWide);
        const from = textAt(at + 2, words);
        const first = byteAt(from);
        const bytes = bytesOf(ring);
        value = isWide
          ? bytes.toString("utf16le", first, first + characters * 2)
          : bytes.toString("latin1", first, first + characters);
        length = from + words - at;
        break;
      }
    }
    at = (at + length) | 0;
    // Before it is taken: what runs then may read on from here.
    Atomics.store(ring, READ, at);
    take(callId, value);
    at = ring[READ] as number;
  }
  return count;
}

export function hasAnswers(ring: AnswerRing): boolean {
  return ring[READ] !== Atomics.load(ring, WRITTEN);
}

/** The reader will not look again by itself. Afterwards it looks once more: something may just have been written. */
export function rest(ring: AnswerRing): void {
  if (ring[RESTING] !== 1) Atomics.store(ring, RESTING, 1); // only the reader writes 1; who has just written 0 wakes it
}

/** Whether the writer has to wake the reader. Asked once for each rest. */
export function mustWake(ring: AnswerRing): boolean {
  return Atomics.load(ring, RESTING) === 1 && Atomics.exchange(ring, RESTING, 0) === 1;
}

/** Said before each message to the reader, who keeps count: it need not ask its port in vain. */
export function countMail(ring: AnswerRing): void {
  Atomics.add(ring, MAILED, 1);
}

/** The message was none after all. */
export function uncountMail(ring: AnswerRing): void {
  Atomics.sub(ring, MAILED, 1);
}

/** How many messages the writer has posted, or is about to. */
export function mailed(ring: AnswerRing): number {
  return Atomics.load(ring, MAILED);
}

function textWords(characters: number, isWide: boolean): number {
  return isWide ? (characters + 1) >> 1 : (characters + 3) >> 2;
}

/** Where a text of so many words lies that would begin at `at`: in one piece, so at the start if the end is too near. */
function textAt(at: number, words: number): number {
  const left = CAPACITY - (at & MASK);
  return words > left ? at + left : at;
}

function byteAt(at: number): number {
  return (HEADER + (at & MASK)) * 4;
}

const views = new WeakMap<AnswerRing, Buffer>();

function bytesOf(ring: AnswerRing): Buffer {
  let bytes = views.get(ring);
  if (bytes === undefined) {
    bytes = Buffer.from(ring.buffer);
    views.set(ring, bytes);
  }
  return bytes;
}

function put(ring: AnswerRing, at: number, word: number): void {
  ring[HEADER + (at & MASK)] = word;
}

function get(ring: AnswerRing, at: number): number {
  return ring[HEADER + (at & MASK)] as number;
}

/** Two UTF-16 units a word. */
function putString(ring: AnswerRing, at: number, text: string): void {
  for (let unit = 0; unit < text.length; unit += 2)
    put(ring, at + (unit >> 1), text.charCodeAt(unit) | (text.charCodeAt(unit + 1) << 16));
}

const units: number[] = [];

function getString(ring: AnswerRing, at: number, length: number): string {
  units.length = length;
  for (let unit = 0; unit < length; unit += 2) {
    const word = get(ring, at + (unit >> 1));
    units[unit] = word & 0xffff;
    if (unit + 1 < length) units[unit + 1] = word >>> 16;
  }
  return String.fromCharCode(...units);
}
