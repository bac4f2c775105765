import { performance } from "node:perf_hooks"; // the global one is a getter, and a test may have replaced it
import { setImmediate } from "node:timers"; // not the one that a test may have replaced by a clock of its own
import { currentThread } from "../thread/identity.ts";
import { threadWide } from "../thread/shared-state.ts";
import { paysToSpin, spinOn } from "./spinning.ts";

/**
 * Each thread has one doorbell: a counter in shared memory. Whoever posts to one of the thread's ports rings it
 * afterwards. A thread that blocks waits on the counter and then empties its ports itself; a thread that does not block
 * ignores the bell, since its event loop reads the ports.
 */
export type Doorbell = Int32Array;

type Mailboxes = {
  bell: Doorbell;
  readonly ports: Set<Drainable>;
  depth: number;
  /** What the bell said when all ports were last emptied: while it says the same, nothing has come. */
  emptiedAt: number;
  /** The port that ended the last wait: most likely it ends the next one too. */
  likely: Drainable | undefined;
  /** Ports that the next turn of the event loop empties. */
  readonly due: Set<Drainable>;
  /** See {@link lookWhileBlocked}. */
  look: (() => void) | undefined;
  /** See {@link sendBeforeBlocking}. */
  readonly senders: (() => void)[];
};

/** Something that holds messages for this thread and can be emptied without an event loop. */
export interface Drainable {
  /** Stops early when the wait is over: the rest is taken the next time, or by the event loop. */
  drain(wait?: BlockingWait): void;
  /** Takes what can be had without touching a port, and may be called as often as one likes. */
  peek?(): void;
  /** Whether there is something for `peek`. Its writer rings only while this thread is blocked. */
  readonly hasAnswers?: boolean;
  readonly fromSupervisor?: boolean;
}

/** A doorbell for this thread, or for one that will be made. */
export function newDoorbell(): Doorbell {
  return new Int32Array(new SharedArrayBuffer(BELL_WORDS * 4));
}

let own: Mailboxes | undefined;

function mailboxes(): Mailboxes {
  own ??= threadWide<Mailboxes>("mailboxes", () => ({
    bell: newDoorbell(),
    ports: new Set(),
    depth: 0,
    emptiedAt: -1,
    likely: undefined,
    due: new Set(),
    look: undefined,
    senders: [],
  }));
  return own;
}

/** This thread's own bell, to be given to whoever will post to it. */
export function ownDoorbell(): Doorbell {
  return mailboxes().bell;
}

/** Uses the bell that this thread's spawner made, so that the spawner can give it to others before the thread is up. */
export function adoptBell(bell: Doorbell): void {
  mailboxes().bell = bell;
}

/** The second word of a bell: whether its thread stands in a blocking wait. The third is that of thread/imports.ts. */
const BLOCKED = 1;
/** The fourth: how many messages the supervisor has posted to its thread. */
const FROM_SUPERVISOR = 3;
const BELL_WORDS = 4;

/** Said before each message from the supervisor: its reader, who keeps count, need not ask the port in vain. */
export function countFromSupervisor(bell: Doorbell): void {
  Atomics.add(bell, FROM_SUPERVISOR, 1);
}

/** How many messages the supervisor has posted to this thread, or is about to. */
export function postedBySupervisor(): number {
  return Atomics.load(mailboxes().bell, FROM_SUPERVISOR);
}

/** Whether the thread of that bell stands in a blocking wait. One that goes into one then looks at its rings first. */
export function isBlockedAt(bell: Doorbell): boolean {
  return Atomics.load(bell, BLOCKED) === 1;
}

/** Makes sure that a blocked thread takes what was just posted to it. */
export function ring(bell: Doorbell): void {
  Atomics.add(bell, 0, 1);
  Atomics.notify(bell, 0);
}

/** From now on a blocking wait in this thread empties `mailbox` too. Returns the way to end that. */
export function drainWhileBlocked(mailbox: Drainable): () => void {
  const { ports } = mailboxes();
  ports.add(mailbox);
  return () => {
    ports.delete(mailbox);
    const boxes = mailboxes();
    if (boxes.likely === mailbox) boxes.likely = undefined;
  };
}

/** From now on `look` is called once a second while this thread is blocked: who dies rings no bell. */
export function lookWhileBlocked(look: () => void): void {
  mailboxes().look = look;
}

/**
 * From now on `send` is called before this thread stands still, whatever for: what is held back for the end of the turn
 * must leave first, tasks and answers alike, since this turn ends late. Returns the way to end that.
 */
export function sendBeforeBlocking(send: () => void): () => void {
  const { senders } = mailboxes();
  senders.push(send);
  return () => void senders.splice(senders.indexOf(send), 1);
}

const LOOK_EVERY_MS = 1_000;

/**
 * Takes the answers that have arrived on this thread's direct ports; what the supervisor has sent keeps its order. For
 * news from the supervisor that must not overtake an answer.
 */
export function drainAnswers(): void {
  for (const port of mailboxes().ports) if (port.fromSupervisor !== true) port.drain();
}

/** Whether this thread stands in a blocking wait right now (code that runs then must not run user callbacks). */
export function isBlocked(): boolean {
  return mailboxes().depth > 0;
}

export interface BlockingWait {
  /** Whether the wait is over. Asked after each emptying of the ports. */
  done(): boolean;
  /** Absolute, on `performance.now()`'s clock; Infinity for none. */
  readonly deadline: number;
  /** Called once if the wait is not over after `patienceMs`: time to tell the supervisor. */
  onPatienceLost?(): void;
  readonly patienceMs?: number;
  /** Called before each sleep: all that has come was taken, and did not end the wait. */
  onSleep?(): void;
}

/**
 * Blocks this thread until `done()` or the deadline; returns `done()`. Depends on nothing but the bell and the threads
 * that answer, never on this thread's event loop.
 */
export function blockUntil(wait: BlockingWait): boolean {
  const boxes = mailboxes();
  const { bell } = boxes;
  let patience: number | undefined;
  let spun = false;
  if (boxes.depth++ === 0) Atomics.store(bell, BLOCKED, 1);
  try {
    for (const send of boxes.senders) send(); // the flag is up: who answers at once need not write to the event loop
    for (const port of boxes.ports) port.peek?.(); // what was written before the flag was up rang no bell
    for (;;) {
      const heard = Atomics.load(bell, 0);
      if (takeUntil(wait, heard)) return true;
      const now = performance.now();
      patience ??= wait.onPatienceLost === undefined ? Number.POSITIVE_INFINITY : now + (wait.patienceMs ?? 0);
      if (now >= wait.deadline) return false;
      if (now >= patience) {
        patience = Number.POSITIVE_INFINITY;
        wait.onPatienceLost?.();
        continue; // what it did may have ended the wait
      }
      wait.onSleep?.();
      const until = Math.min(wait.deadline, patience, now + LOOK_EVERY_MS);
      if (!spun) {
        spun = true; // once a wait: who was woken for something else need not look again
        if (paysToSpin("waiting") && spinOn("waiting", bell, 0, heard, now, until)) continue;
      }
      if (Atomics.wait(bell, 0, heard, Math.max(0, until - now)) === "timed-out" && until === now + LOOK_EVERY_MS)
        boxes.look?.();
    }
  } finally {
    if (--boxes.depth === 0) {
      Atomics.store(bell, BLOCKED, 0);
      for (const port of boxes.ports) if (port.hasAnswers === true) drainSoon(boxes, port); // rung for, and not read
    }
  }
}

/** Once a port until then: a thread may block over and over, and not come to its event loop for hours. */
function drainSoon({ due }: Mailboxes, port: Drainable): void {
  if (due.has(port)) return;
  due.add(port);
  setImmediate(() => {
    due.delete(port);
    port.drain();
  });
}

/** Takes what has come, the likely port first, until the wait is over. What is then left is taken in the next wait. */
function takeUntil(wait: BlockingWait, heard: number): boolean {
  if (wait.done()) return true;
  const boxes = mailboxes();
  if (heard === boxes.emptiedAt) return false;
  boxes.likely?.drain(wait);
  if (wait.done()) return true;
  for (const port of boxes.ports) {
    if (port === boxes.likely) continue;
    port.drain();
    if (!wait.done()) continue;
    boxes.likely = port;
    return true;
  }
  boxes.emptiedAt = heard;
  return false;
}

const forbidden: { why: string | undefined } = threadWide("blocking-forbidden", () => ({ why: undefined }));

/** From now on `result()` throws `BlockingNotAllowedError` in this thread, giving `why`. Returns the way to allow it again. */
export function forbidBlocking(why: string): () => void {
  forbidden.why = why;
  return () => {
    if (forbidden.why === why) forbidden.why = undefined;
  };
}

/** Why this thread must not block, if it must not. */
export function blockingForbidden(): string | undefined {
  return forbidden.why;
}

/** The name that messages about blocking use for this thread. */
export function threadLabel(): string {
  return currentThread().name;
}
