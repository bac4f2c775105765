/**
 * Answers that need no message. A worker writes what is small and scalar into memory that it shares with the submitter,
 * who reads it when it looks: nothing is lost if the worker dies right after, nothing waits behind the worker's next
 * task, and a thousand answers cost one wake-up. One writer, one reader; the positions only grow (and wrap at 2^32).
 */
export type AnswerRing = Int32Array;

const WRITTEN = 0;
const READ = 1;
/** Whether the reader wants a message when something has been written: it has read everything and will not look by itself. */
const RESTING = 2;
/** How many messages the reader of the ring has posted to its writer: a writer that lingers sees the next one here. */
export const POSTED = 3;
const HEADER = 4;
/** In words; a power of two. */
const CAPACITY = 4096;
const MASK = CAPACITY - 1;
/** A longer string travels in a message. */
const LONGEST_STRING = 256;
const LARGEST_CALL = 0x7fffffff;

const UNDEFINED = 0;
const NULL = 1;
const FALSE = 2;
const TRUE = 3;
const INTEGER = 4;
const DOUBLE = 5;
const STRING = 6;
const TAG_BITS = 3;

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
      if (value.length > LONGEST_STRING) return false;
      tag = STRING | (value.length << TAG_BITS);
      length = 2 + ((value.length + 1) >> 1);
      break;
    default:
      if (value !== null) return false;
      tag = NULL;
  }
  const at = Atomics.load(ring, WRITTEN);
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

/** Gives `take` every answer that is there, in their order; returns how many. */
export function readAnswers(ring: AnswerRing, take: (callId: number, value: unknown) => void): number {
  let count = 0;
  for (let at = Atomics.load(ring, READ); at !== Atomics.load(ring, WRITTEN); count++) {
    const callId = get(ring, at);
    const tag = get(ring, at + 1);
    let value: unknown;
    let length = 2;
    switch (tag & ((1 << TAG_BITS) - 1)) {
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
    }
    at = (at + length) | 0;
    // Before it is taken: what runs then may read on from here.
    Atomics.store(ring, READ, at);
    take(callId, value);
    at = Atomics.load(ring, READ);
  }
  return count;
}

export function hasAnswers(ring: AnswerRing): boolean {
  return Atomics.load(ring, READ) !== Atomics.load(ring, WRITTEN);
}

/** The reader will not look again by itself. Afterwards it looks once more: something may just have been written. */
export function rest(ring: AnswerRing): void {
  Atomics.store(ring, RESTING, 1);
}

/** Whether the writer has to wake the reader. Asked once for each rest. */
export function mustWake(ring: AnswerRing): boolean {
  return Atomics.load(ring, RESTING) === 1 && Atomics.exchange(ring, RESTING, 0) === 1;
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
