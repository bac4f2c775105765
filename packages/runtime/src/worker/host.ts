/** The working end: runs the tasks that come over any number of ports. Its counterpart is `submitter.ts`. */
import { performance } from "node:perf_hooks"; // the global one is a getter, and a test may have replaced it
import { setImmediate } from "node:timers"; // not the one that a test may have replaced by a clock of its own
import type { Transferable } from "node:worker_threads";
import { runWithContext } from "../context/context-var.ts";
import { DataNotCloneableError } from "../errors.ts";
import { sendBeforeBlocking } from "../future/doorbell.ts";
import { findTask } from "../task/find-task.ts";
import type { TaskFunction } from "../task/task-ref.ts";
import { explainNotCloneable } from "../wire/clone-path.ts";
import { decodeThrown, encodeError } from "../wire/error-codec.ts";
import { isFlat, type PostToWorker, type RunMessage, type ToWorker } from "../wire/messages.ts";
import { decodeValue, encodeValue } from "../wire/value-codec.ts";
import { awaited } from "./awaited.ts";
import { type Inbox, TURN_MS } from "./inbox.ts";
import { Batch, type Job, knownJob, oneJob } from "./job.ts";
import { runInTask, TaskContext } from "./task-context.ts";
import { transferListOf } from "./transfer.ts";

export type HostEvents = {
  /** Whether a task that its submitter may take back can begin. `false`: `work()` is called when it can. */
  readonly mayBegin?: (() => boolean) | undefined;
  /** Whether this thread was given up and is about to be ended: nothing more begins, others have it already. */
  readonly givenUp?: () => boolean;
  /** Its turn has come. An error: it is not run and fails with that. */
  readonly refuse?: (job: Job) => Error | undefined;
  /** A task's turn has come: its module may still have to be imported, which runs code and can end the thread too. */
  readonly taken?: (job: Job) => void;
  /** A task begins or ends in this thread. */
  readonly started?: (job: Job) => void;
  readonly ended?: (job: Job, ok: boolean) => void;
  /** A task was cancelled before it began. */
  readonly dropped?: (job: Job) => void;
  /** All there was to do is done. */
  readonly idle?: () => void;
};

/**
 * Runs tasks: all at once as they come (`"concurrent"`, a loop) or one after the other (`"sequential"`, a pool's
 * worker). Answers gathered in one go leave in one message, but none waits behind the next task that takes long.
 */
export class Host {
  readonly #sequential: boolean;
  readonly #events: HostEvents;
  readonly #queue: (Job | Batch)[] = [];
  #head = 0;
  /** Tasks that go before those. */
  readonly #first: Job[] = [];
  /** How many tasks are in the queue. */
  #waiting = 0;
  /** Tasks that have begun and not ended, by submitting thread and number. */
  readonly #running = new Map<number, Map<number, Job>>();
  #runningCount = 0;
  readonly #cancelled = new Set<string>();
  readonly #unflushed = new Set<Inbox>();
  #busy = false;
  #pumping = false;
  #paused = false;

  constructor(mode: "concurrent" | "sequential", events: HostEvents) {
    this.#sequential = mode === "sequential";
    this.#events = events;
    sendBeforeBlocking(() => this.flush()); // whom a task waits for may wait for the answers before it
  }

  /** Tasks that wait or run. */
  get pending(): number {
    return this.#runningCount + this.#waiting;
  }

  /** The task of that submitter and number that has its turn and has not ended. */
  job(from: number, callId: number): Job | undefined {
    return this.#running.get(from)?.get(callId);
  }

  /** Takes what has come, and runs what can run. Returns how many tasks that were. */
  receive(inbox: Inbox, post: PostToWorker): number {
    const before = this.#waiting;
    if (isFlat(post)) {
      const [callId, taskNumber, submittedAt, order] = post;
      this.#queue.push(knownJob(inbox, callId, taskNumber, post.slice(4), submittedAt, order));
      this.#waiting += 1;
    } else this.#sort(inbox, post);
    const came = this.#waiting - before;
    this.#pump();
    return came;
  }

  #sort(inbox: Inbox, batch: readonly ToWorker[]): void {
    for (const message of batch) {
      switch (message[0]) {
        case "run":
          this.#queue.push(oneJob(inbox, message));
          this.#waiting += 1;
          break;
        case "many": {
          const batch = new Batch(inbox, message);
          this.#queue.push(batch);
          this.#waiting += batch.left;
          break;
        }
        case "cancel":
          this.#cancel(inbox.from, message[1], message[2] === undefined ? undefined : decodeThrown(message[2]));
          break;
        default:
          message satisfies never;
      }
    }
  }

  /** Queues one task, before those that came in batches, that its sender may take back until `claim` says it has begun. */
  receiveClaimable(inbox: Inbox, message: RunMessage, claim: () => boolean): void {
    this.#first.push({ ...oneJob(inbox, message), claim });
    this.#waiting += 1;
  }

  /** Forgets a running task, whose outcome nobody waits for any more. `false` if there is none of that id. */
  abandon(from: number, callId: number): boolean {
    const job = this.job(from, callId);
    if (job !== undefined) this.#leave(job);
    return job !== undefined;
  }

  /** Runs what has been queued. */
  work(): void {
    this.#pump();
  }

  /** From now on no further task begins. */
  pause(): void {
    this.#paused = true;
  }

  /** Whether a task runs. */
  get busy(): boolean {
    return this.#runningCount > 0;
  }

  /** Sends the answers that are there. For the moment before the thread ends. */
  flush(): void {
    for (const inbox of this.#unflushed) inbox.flush();
    this.#unflushed.clear();
  }

  /** Runs one task beside whatever runs, on the event loop: for a task whose submitter, on this very thread, awaits it. */
  runBeside(inbox: Inbox, message: RunMessage): void {
    this.#start({ ...oneJob(inbox, message), beside: true }, false);
    this.flush();
  }

  #cancel(from: number, callId: number, reason: unknown): void {
    const running = this.job(from, callId);
    if (running !== undefined) running.context?.abort(reason);
    else if (this.#waiting > 0) this.#cancelled.add(`${from}.${callId}`);
  }

  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    let until = 0;
    try {
      while (!this.#busy && !this.#paused && this.#waiting > 0) {
        if (this.#events.givenUp?.() === true) return;
        const job = this.#next();
        if (job === undefined) break;
        if (job.claim !== undefined ? !job.claim() : job.order >= 0 && !job.inbox.claims.claim(job.order)) continue;
        this.#start(job, this.#sequential);
        // A pool's worker may be killed for the next task's sake, and a light answer must not wait for a heavy
        // neighbour: there each answer leaves at once. A loop's tasks share their fate; their answers leave together.
        if (this.#sequential) this.flush();
        if (this.#waiting === 0) break;
        const now = performance.now();
        if (until === 0) until = now + TURN_MS;
        else if (now > until) {
          setImmediate(() => this.#pump());
          return;
        }
      }
      if (this.#waiting === 0) this.#cancelled.clear();
    } finally {
      this.#pumping = false;
      this.flush();
    }
    if (!this.#busy && (this.#paused || this.#waiting === 0)) this.#events.idle?.();
  }

  #next(): Job | undefined {
    const before = this.#first.shift();
    if (before !== undefined) {
      this.#waiting -= 1;
      return before;
    }
    const first = this.#queue[this.#head] as Job | Batch;
    if (this.#events.mayBegin?.() === false && (first instanceof Batch || first.order >= 0)) return undefined;
    this.#waiting -= 1;
    const job = first instanceof Batch ? first.shift() : first;
    if (!(first instanceof Batch) || first.left === 0) {
      this.#queue[this.#head] = undefined as never; // a long queue must not keep what has run
      this.#head += 1;
      if (this.#head === this.#queue.length) {
        this.#queue.length = 0;
        this.#head = 0;
      }
    }
    return job;
  }

  #start(job: Job, exclusive: boolean): void {
    const events = this.#events;
    if (job.inbox.closed || (this.#cancelled.size > 0 && this.#cancelled.delete(`${job.inbox.from}.${job.callId}`))) {
      events.dropped?.(job);
      return;
    }
    const refusal = events.refuse?.(job);
    if (refusal !== undefined) {
      events.dropped?.(job);
      this.#answer(job, false, refusal);
      return;
    }
    events.taken?.(job);
    const fn = job.inbox.functionOf(job.taskNumber, job.task);
    const given = fn === undefined ? undefined : this.#call(fn, job);
    if (given?.sync === true) {
      events.ended?.(job, given.ok);
      this.#answer(job, given.ok, given.value);
      return;
    }
    if (exclusive) this.#busy = true;
    this.#enter(job);
    const settled = given === undefined ? this.#find(job) : (given.value as Promise<unknown>);
    const after = (ok: boolean, value: unknown): void => {
      if (exclusive) this.#busy = false;
      if (this.#leave(job)) {
        events.ended?.(job, ok);
        this.#answer(job, ok, value);
      } // else: given up meanwhile
      this.flush(); // before the next task, which may hold the thread for ever or end it
      if (exclusive) this.#pump();
      else if (this.#runningCount === 0 && (this.#paused || this.pending === 0)) events.idle?.();
    };
    settled.then(
      (value) => after(true, value),
      (thrown: unknown) => after(false, thrown),
    );
  }

  #enter(job: Job): void {
    job.context ??= new TaskContext(job.inbox.from, job.callId);
    let ofThread = this.#running.get(job.inbox.from);
    if (ofThread === undefined) {
      ofThread = new Map();
      this.#running.set(job.inbox.from, ofThread);
    }
    ofThread.set(job.callId, job);
    this.#runningCount += 1;
  }

  #leave(job: Job): boolean {
    const ofThread = this.#running.get(job.inbox.from);
    if (ofThread?.get(job.callId) !== job) return false;
    ofThread.delete(job.callId);
    if (ofThread.size === 0) this.#running.delete(job.inbox.from);
    this.#runningCount -= 1;
    return true;
  }

  async #find(job: Job): Promise<unknown> {
    const fn = await findTask(job.task);
    const given = this.#call(fn, job);
    if (given.sync && !given.ok) throw given.value;
    return given.value;
  }

  #call(fn: TaskFunction, job: Job): { readonly sync: boolean; readonly ok: boolean; readonly value: unknown } {
    const { carried } = job;
    try {
      job.startedAt = performance.now();
      this.#events.started?.(job);
      job.begun = true;
      job.context ??= new TaskContext(job.inbox.from, job.callId);
      const args = decodeValue(job.args, job.specials) as readonly unknown[];
      const vars =
        carried === undefined ? undefined : (decodeValue(carried.value, carried.specials) as Record<string, unknown>);
      const { context } = job;
      const value = runWithContext(vars, () => runInTask(context, () => awaited(fn(...args))));
      return { sync: !(value instanceof Promise), ok: true, value };
    } catch (thrown) {
      return { sync: true, ok: false, value: thrown };
    }
  }

  #answer({ inbox, callId }: Job, ok: boolean, value: unknown): void {
    this.#unflushed.add(inbox);
    if (!ok) {
      inbox.answer(["failed", callId, encodeError(value)], []);
      return;
    }
    if (value === null || (typeof value !== "object" && typeof value !== "function")) {
      inbox.answerScalar(callId, value);
      return;
    }
    const transfer: Transferable[] = [...transferListOf(value)];
    try {
      const encoded = encodeValue(value, transfer, "result");
      inbox.answer(["ok", callId, encoded.value, encoded.specials], transfer);
    } catch (cause) {
      const error =
        cause instanceof DataNotCloneableError ? cause : explainNotCloneable(value, "result", { transfer, cause });
      inbox.answer(["failed", callId, encodeError(error)], []);
    }
  }
}
