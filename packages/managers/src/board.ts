/**
 * What all threads see of a manager without asking anybody: counters and states in shared memory. `head` lives as long
 * as the manager, `slots` from one start to the next stop (pools only; one slot a worker).
 */

/** Words of `head`. */
export const STATE = 0;
/** Grows at each start and stop: what a handle remembers of the options holds for one epoch. */
export const EPOCH = 1;
/** Tasks accepted and not yet ended, wherever they are. */
export const OUTSTANDING = 2;
/** Tasks in the supervisor's queue of a pool, on their way there included. While it is not 0 nobody overtakes. */
export const QUEUED = 3;
/** Tasks that were given to a busy worker ahead of time. */
export const AHEAD = 4;
export const COMPLETED = 5;
export const FAILED = 6;
export const CANCELLED = 7;
export const REJECTED = 8;
export const CRASHES = 9;
export const REPLACEMENTS = 10;
export const WORKERS = 11;
/** A loop's last measured delay of its event loop, in microseconds, and when (ms, wrapped to 31 bits). */
export const LAG_US = 12;
export const LAST_BEAT = 13;
export const WAIT_HISTOGRAM = 16;
export const RUN_HISTOGRAM = 64;
const HEAD_WORDS = 112;

export const IDLE = 0;
export const RUNNING = 1;
export const STOPPING = 2;
export const STOPPED = 3;
/** The owner thread has ended, or another manager has taken its place. */
export const GONE = 4;

/** Words of one slot. */
export const SLOT_WORDS = 8;
export const SLOT_STATE = 0;
/** The task that runs in the slot's worker: its submitter's thread and number; 0 for none. */
export const RUN_THREAD = 1;
export const RUN_CALL = 2;
export const EXIT_CODE = 3;
/** How long this worker's tasks took lately, in microseconds; 0: not known. */
export const RECENT_US = 4;

/** States of a slot, beside its generation: a word is `generation << 2 | state`. */
export const EMPTY = 0;
export const FREE = 1;
export const TAKEN = 2;

export type Words = Int32Array;

export function newHead(): Words {
  return new Int32Array(new SharedArrayBuffer(HEAD_WORDS * 4));
}

export function newSlots(workers: number): Words {
  return new Int32Array(new SharedArrayBuffer(workers * SLOT_WORDS * 4));
}

export function slotWord(generation: number, state: number): number {
  return (generation << 2) | state;
}

/** Histograms have 48 buckets, two to each doubling, from 1 us to 16 s. */
const BUCKETS = 48;

export function record(head: Words, histogram: number, ms: number): void {
  const us = Math.max(1, ms * 1000);
  const bucket = Math.min(BUCKETS - 1, Math.floor(Math.log2(us) * 2));
  Atomics.add(head, histogram + bucket, 1);
}

/** The value, in milliseconds, below which `fraction` of what was recorded lies; `null` before the first. */
export function percentile(head: Words, histogram: number, fraction: number): number | null {
  let total = 0;
  for (let i = 0; i < BUCKETS; i++) total += Atomics.load(head, histogram + i);
  if (total === 0) return null;
  let seen = 0;
  for (let i = 0; i < BUCKETS; i++) {
    seen += Atomics.load(head, histogram + i);
    if (seen >= total * fraction) return 2 ** ((i + 0.5) / 2) / 1000;
  }
  return null;
}

export function stateName(state: number): "idle" | "running" | "stopping" | "stopped" {
  return (["idle", "running", "stopping", "stopped", "stopped"] as const)[state] ?? "stopped";
}

/** How late a loop's timers run, as its own measurement says, and as its silence says when it has stopped measuring. */
export function lagMs(head: Words): number {
  if (Atomics.load(head, OUTSTANDING) === 0) return 0;
  const measured = Atomics.load(head, LAG_US) / 1000;
  const beat = Atomics.load(head, LAST_BEAT);
  const silent = beat === 0 ? 0 : ((Date.now() & 0x7fffffff) - beat) - BEAT_MS;
  return Math.max(measured, silent, 0);
}

/** While a loop has tasks it measures its own delay this often. */
export const BEAT_MS = 20;
