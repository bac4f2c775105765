/**
 * What main and one worker both see of that worker's requests: a SharedArrayBuffer with a state per slot. A request that
 * main has sent but the worker has not begun can be taken back, by whichever side changes its state first; so nothing
 * waits behind a blocked handler, and nothing ever runs twice by accident.
 */

/** How many requests one worker may hold. */
export const SLOT_COUNT = 4096;

/** The states of a slot. */
const FREE = 0;
/** Sent, not begun: main may take it back. */
export const SENT = 1;
/** The handler is on the thread now. */
export const RUNNING = 2;
/** The handler returned a promise or a stream, and the thread is free meanwhile. */
export const AWAITING = 3;
/** Main took it back; the worker skips it and says so. */
const REVOKED = 4;
/** The handler is done; its answer is on the way. */
export const DONE = 5;

const CURRENT = 0;
const PROGRESS = 1;
const FIRST = 16;

/** One worker's slots, seen from either side. */
export class Slots {
  readonly buffer: SharedArrayBuffer;
  readonly #cells: Int32Array;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(4 * (FIRST + SLOT_COUNT))) {
    this.buffer = buffer;
    this.#cells = new Int32Array(buffer);
  }

  // Main's side.

  /** Before its envelope leaves. */
  markSent(slot: number): void {
    Atomics.store(this.#cells, FIRST + slot, SENT);
  }
  /** Takes a request back; false when the worker has begun it. */
  revoke(slot: number): boolean {
    return Atomics.compareExchange(this.#cells, FIRST + slot, SENT, REVOKED) === SENT;
  }
  state(slot: number): number {
    return Atomics.load(this.#cells, FIRST + slot);
  }
  release(slot: number): void {
    Atomics.store(this.#cells, FIRST + slot, FREE);
  }
  /** The slot whose handler is on the thread now, or -1. */
  current(): number {
    return Atomics.load(this.#cells, CURRENT) - 1;
  }
  /** Grows with each handler begun and each turn of the worker's loop that was asked for. */
  progress(): number {
    return Atomics.load(this.#cells, PROGRESS);
  }

  // The worker's side.

  /** Claims a request; false when main took it back. */
  begin(slot: number): boolean {
    if (Atomics.compareExchange(this.#cells, FIRST + slot, SENT, RUNNING) !== SENT) return false;
    Atomics.store(this.#cells, CURRENT, slot + 1);
    Atomics.add(this.#cells, PROGRESS, 1);
    return true;
  }
  /** The handler gave the thread back, with its answer or a promise of it. */
  leave(slot: number, state: typeof AWAITING | typeof DONE): void {
    Atomics.store(this.#cells, FIRST + slot, state);
    Atomics.store(this.#cells, CURRENT, 0);
  }
  /** An awaiting handler has its answer. */
  finish(slot: number): void {
    Atomics.store(this.#cells, FIRST + slot, DONE);
  }
}
