/**
 * What all threads see of a manager without asking anybody: counters and states in shared memory. `head` lives as long
 * as the manager; each worker of a pool has a block of its own.
 */

/** Words of `head`. */
export const STATE = 0;
/** Grows at each start and stop: what a handle remembers of the options holds for one epoch. */
export const EPOCH = 1;
/** Tasks accepted and not yet ended, wherever they are. */
export const OUTSTANDING = 2;
/** Tasks in the supervisor's queue of a pool, on their way there included. While it is not 0 nobody overtakes. */
export const QUEUED = 3;
/** Tasks that the supervisor has given to a busy worker ahead of time. */
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
/** How long tasks ran, all together, in microseconds: the low 32 bits, and how often they overflowed. */
const SUM_TIME_LOW = 14;
const SUM_TIME_HIGH = 15;
export const WAIT_HISTOGRAM = 16;
export const RUN_HISTOGRAM = 64;
/** Tasks of a pool that run. */
export const ACTIVE = 112;
/** How many tasks had ended when the stop began: only what ends from then on is part of its report. */
export const ENDED_BEFORE = 113;
const HEAD_WORDS = 114;

export const IDLE = 0;
export const RUNNING = 1;
export const STOPPING = 2;
export const STOPPED = 3;
/** The owner thread has ended, or another manager has taken its place. */
export const GONE = 4;

/**
 * Words of the block that one worker, the supervisor and the submitters share. Each worker has its own: a thread that was
 * terminated may still move for a while, and must not write into its successor's. First come the words by which either
 * side claims a task that the supervisor has given ahead.
 */
export const CLAIMS = 2048;
/** The task whose turn it is: its submitter's thread and number. Holds from before the task's module is imported. */
export const RUN_THREAD: number = CLAIMS + 0; // the first word behind the claims
export const RUN_CALL: number = CLAIMS + 1;
export const RUN_STATE: number = CLAIMS + 2;
export const EXIT_CODE: number = CLAIMS + 3;
/** How long this worker's tasks took lately, in microseconds; 0: not known. */
export const RECENT_US: number = CLAIMS + 4;
/** Who may give the worker tasks; see below. */
export const PLACE: number = CLAIMS + 5;
/** The number, at its submitter, of the last task that began of those the worker was taken for. */
export const TAKEN_CALL: number = CLAIMS + 6;
/** Not 0: of the tasks that submitters have sent ahead none begins any more. */
export const REFUSING: number = CLAIMS + 7;
/** How many were not run for that, refused by the worker or withdrawn by their submitter. */
export const REFUSED: number = CLAIMS + 8;
/** The number of a submitter that has ended, plus one: of its tasks none begins any more. */
export const GONE_SEAT: number = CLAIMS + 9;
const BLOCK_WORDS = CLAIMS + 10;

/** States of the task in `RUN_THREAD`, `RUN_CALL`. Whoever moves RUNNING to COUNTED counts its end. */
export const RUN_NONE = 0;
export const RUN_RUNNING = 1;
/** It has ended, but its answer may still be in the thread, and dies with it. */
export const RUN_COUNTED = 2;

/**
 * The place in front of a worker: one of four states; and which submitter has sent it tasks directly (a number that the
 * supervisor gave that submitter for this worker), and how many of them the worker has before it. All in one word, so
 * that a submitter adds a task only where no other one has any, and the worker gives the place up only when nothing is
 * left.
 */
export const EMPTY = 0;
export const FREE = 1;
/** A submitter has taken the worker for tasks that it hands over directly, until they have ended. */
export const TAKEN = 2;
/** The supervisor decides what the worker does next. */
export const HELD = 3;

const SEAT_BITS = 10;
/** A submitter with a higher number takes no place: its tasks go by way of the supervisor. */
export const SEATS: number = 2 ** SEAT_BITS;
const ONE_TASK = 1 << (2 + SEAT_BITS);
/** Takes a free worker for one task. */
export function takePlace(block: Words, seat: number): boolean {
  return Atomics.compareExchange(block, PLACE, FREE, TAKEN | (seat << 2) | ONE_TASK) === FREE;
}

/** One more task for a worker that is not free, but has tasks of no other submitter, and fewer than `most`. */
export function joinPlace(block: Words, seat: number, most: number): boolean {
  // Again and again: the worker counts down meanwhile.
  for (;;) {
    const place = Atomics.load(block, PLACE);
    const state = stateOf(place);
    const tasks = tasksBefore(place);
    if (state < TAKEN || tasks >= most || (tasks > 0 && seatOf(place) !== seat)) return false;
    const joined = state | (seat << 2) | ((tasks + 1) * ONE_TASK);
    if (Atomics.compareExchange(block, PLACE, place, joined) === place) return true;
  }
}

/** One task less; the place stays taken. `false`: whoever took the place away had counted that task by then. */
export function leavePlace(block: Words): boolean {
  return stateOf(Atomics.sub(block, PLACE, ONE_TASK)) !== EMPTY;
}

/** The same, where the task is not run because its pool is ending: that is counted once, here or there. */
export function leaveRefused(block: Words): void {
  if (leavePlace(block)) Atomics.add(block, REFUSED, 1);
}

/** Gives a taken place back that nothing is left in. */
export function vacatePlace(block: Words): boolean {
  const place = Atomics.load(block, PLACE);
  return stateOf(place) === TAKEN && tasksBefore(place) === 0 && movePlace(block, place, FREE);
}

/** Whether a submitter's tasks are before the worker. */
export function hasDirect(block: Words): boolean {
  return tasksBefore(Atomics.load(block, PLACE)) > 0;
}

/** How many tasks the submitter that has the place has there. */
export function tasksBefore(place: number): number {
  return place >>> (2 + SEAT_BITS);
}

export function seatOf(place: number): number {
  return (place >> 2) & (SEATS - 1);
}

export function stateOf(place: number): number {
  return place & 3;
}

/** Changes a place if it is still what it was. */
export function movePlace(block: Words, from: number, to: number): boolean {
  return Atomics.compareExchange(block, PLACE, from, to) === from;
}

export type Words = Int32Array;

export function newHead(): Words {
  return new Int32Array(new SharedArrayBuffer(HEAD_WORDS * 4));
}

/** Takes a running manager into its stop. Returns the state it was in. */
export function beginStopping(head: Words): number {
  const endedBefore = ended(head);
  const was = Atomics.compareExchange(head, STATE, RUNNING, STOPPING);
  if (was === RUNNING) Atomics.store(head, ENDED_BEFORE, endedBefore);
  return was;
}

/** Tasks that have ended, well or not. */
export function ended(head: Words): number {
  return Atomics.load(head, COMPLETED) + Atomics.load(head, FAILED);
}

/** How many of a pool's tasks wait. */
export function queued(head: Words): number {
  return Math.max(0, Atomics.load(head, OUTSTANDING) - Atomics.load(head, ACTIVE));
}

/** Words of a loop's port, which its submitter, its thread and the supervisor share. */
export const PORT_SENT = 0;
/** How many of its tasks, in their order, the thread has begun. */
export const PORT_BEGUN = 1;
export const PORT_ENDED = 2;
/** How many had been sent when the supervisor closed the books because the thread had died. */
export const PORT_SENT_AT_CLOSE = 3;
/** What SENT and ENDED are set to then, so that whoever counts on can tell. */
const PORT_CLOSED = -(2 ** 30);

export function newPortWords(): Words {
  return new Int32Array(new SharedArrayBuffer(16));
}

/** Whether every task that was sent over the port has ended. */
export function isPortQuiet(port: Words): boolean {
  return Atomics.load(port, PORT_SENT) <= Atomics.load(port, PORT_ENDED);
}

/** Closes a dead thread's port: how many of its tasks had begun and not ended, and how many had not begun. */
export function closePort(port: Words): { readonly begun: number; readonly waiting: number } {
  const ended = Atomics.exchange(port, PORT_ENDED, PORT_CLOSED);
  const sent = Atomics.exchange(port, PORT_SENT, PORT_CLOSED);
  Atomics.store(port, PORT_SENT_AT_CLOSE, sent);
  const begun = Math.max(0, Atomics.load(port, PORT_BEGUN) - ended);
  return { begun, waiting: sent - ended - begun };
}

export function newBlock(): Words {
  const block = new Int32Array(new SharedArrayBuffer(BLOCK_WORDS * 4));
  block[EXIT_CODE] = -1;
  block[PLACE] = HELD;
  return block;
}

/** Histograms have 48 buckets, two to each doubling, from 1 us to 16 s. */
const BUCKETS = 48;

export function record(head: Words, histogram: number, ms: number): void {
  const us = Math.max(1, ms * 1000);
  const bucket = Math.min(BUCKETS - 1, Math.floor(Math.log2(us) * 2));
  Atomics.add(head, histogram + bucket, 1);
  if (histogram !== RUN_HISTOGRAM) return;
  const before = Atomics.add(head, SUM_TIME_LOW, Math.round(us)) >>> 0;
  if (before + Math.round(us) >= 2 ** 32) Atomics.add(head, SUM_TIME_HIGH, 1);
}

/** How long all tasks that were recorded ran, together, in milliseconds. */
export function sumTimeMs(head: Words): number {
  return (Atomics.load(head, SUM_TIME_HIGH) * 2 ** 32 + (Atomics.load(head, SUM_TIME_LOW) >>> 0)) / 1000;
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
  const silent = beat === 0 ? 0 : (Date.now() & 0x7fffffff) - beat - BEAT_MS;
  return Math.max(measured, silent, 0);
}

/** While a loop has tasks it measures its own delay this often. */
export const BEAT_MS = 20;
