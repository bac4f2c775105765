/**
 * What both ends of a stream see without asking: one block of words for the whole stream, made by the consumer, and one
 * block for each producing thread, made by that thread and followed by its ring.
 */

/** Words in a line of a processor's cache. What two threads write all the time shares none with what they only read. */
const LINE = 16;

/** Items that were begun and not yet taken. Whoever produces takes a place here first, so the bound is exact. */
export const COUNT = 0;
export const STATE: number = LINE;
/** 1: the consumer waits and wants to be told of the next item. */
export const CONSUMER_WAITS: number = LINE + 1;
/** Producing threads that wait for a place. */
export const BLOCKED: number = LINE + 2;
/** Iterables only: whether the body has begun. */
export const LIFE: number = LINE + 3;
const STREAM_WORDS = 2 * LINE;

export const OPEN = 0;
export const CLOSED = 1;
/** The consumer's thread has ended. */
export const CONSUMER_GONE = 2;

export const NOT_BEGUN = 0;
export const BEGUN = 1;
/** Closed before it began: it must not begin. */
export const REVOKED = 2;
/** It was closed in time, and its `finally` threw. */
export const FINALLY_THREW = 3;

/** Words at the head of a ring: bytes read and written (both only grow, and wrap at 2^32). */
export const READ = 0;
export const WRITTEN: number = LINE;
/** Places taken, and items handed over: they differ while one item is in the making. */
export const RESERVED: number = LINE + 1;
export const PUBLISHED: number = LINE + 2;
/** 1: this producer waits for a place. */
export const WAITS: number = LINE + 3;
export const RING_HEAD_WORDS: number = 2 * LINE;

export function newStreamWords(): Int32Array {
  return new Int32Array(new SharedArrayBuffer(STREAM_WORDS * 4));
}

/** Takes a place if there is one; `maxSize` 0: there always is. */
export function reserve(words: Int32Array, own: Int32Array, maxSize: number): boolean {
  if (maxSize === 0) {
    Atomics.add(words, COUNT, 1);
    Atomics.add(own, RESERVED, 1);
    return true;
  }
  for (;;) {
    const count = Atomics.load(words, COUNT);
    if (count >= maxSize) return false;
    // Nothing may stand between these two: a thread that is terminated there would keep the place for ever.
    if (Atomics.compareExchange(words, COUNT, count, count + 1) === count) {
      Atomics.add(own, RESERVED, 1);
      return true;
    }
  }
}

/** Gives a place back that no item came to. */
export function unreserve(words: Int32Array, own: Int32Array): void {
  Atomics.sub(own, RESERVED, 1);
  Atomics.sub(words, COUNT, 1);
}
