/**
 * What both ends of a stream see without asking: one block of words for the whole stream, made by the consumer, and one
 * block for each producing thread, made by that thread and followed by its ring.
 */

/** Words in a line of a processor's cache. What two threads write all the time shares none with what they only read. */
const LINE = 16;

/** Places for items that producers have taken so far; both these only grow (but for places given back) and wrap. */
export const PLACED = 0;
export const STATE: number = LINE;
/** 1: the consumer waits and wants to be told of the next item. */
export const CONSUMER_WAITS: number = LINE + 1;
/** Producing threads that wait for a place. */
export const BLOCKED: number = LINE + 2;
/** Iterables only: whether the body has begun. */
export const LIFE: number = LINE + 3;
/** Items that the consumer has taken so far, and places that a dead producer will never fill. */
export const TAKEN: number = 2 * LINE;
const STREAM_WORDS = 3 * LINE;

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
