/** The working end: runs the tasks that come over any number of ports. Its counterpart is `submitter.ts`. */
import type { MessagePort, Transferable } from "node:worker_threads";
import { runWithContext } from "../context/context-var.ts";
import { DataNotCloneableError } from "../errors.ts";
import { ring } from "../future/doorbell.ts";
import { findTask, lookupTask } from "../task/find-task.ts";
import { explainNotCloneable } from "../wire/clone-path.ts";
import { decodeThrown, encodeError } from "../wire/error-codec.ts";
import type { FromWorker, RunMessage, ToWorker } from "../wire/messages.ts";
import { decodeValue, encodeValue } from "../wire/value-codec.ts";
import { runInTask, TaskContext } from "./task-context.ts";
import { transferListOf } from "./transfer.ts";

/** Where tasks come from and answers go: a submitter's direct port, or the supervisor speaking for one. */
export class Inbox {
  /** The submitting thread. */
  readonly from: number;
  readonly #post: (answers: readonly FromWorker[], transfer: readonly Transferable[]) => void;
  readonly #tasks: RunMessage[2][] = [];
  #outbox: FromWorker[] = [];

  constructor(from: number, post: (answers: readonly FromWorker[], transfer: readonly Transferable[]) => void) {
    this.from = from;
    this.#post = post;
  }

  /** An inbox that answers over the submitter's direct port. */
  static onPort(from: number, port: MessagePort, bell: Int32Array): Inbox {
    return new Inbox(from, (answers, transfer) => {
      port.postMessage(answers, transfer as Transferable[]);
      ring(bell);
    });
  }

  /** Gives a message that came with its task's number the reference that this number stands for. */
  lengthen(message: RunMessage): RunMessage {
    const [op, callId, task, args, specials, context, submittedAt] = message;
    if (typeof task === "number") {
      return [op, callId, this.#tasks[task as number] as RunMessage[2], args, specials, context, submittedAt];
    }
    if (task.as !== undefined) this.#tasks[task.as] = task;
    return message;
  }

  answer(message: FromWorker, transfer: readonly Transferable[]): void {
    if (transfer.length === 0) {
      this.#outbox.push(message);
      return;
    }
    this.flush();
    this.#post([message], transfer);
  }

  flush(): void {
    if (this.#outbox.length === 0) return;
    const batch = this.#outbox;
    this.#outbox = [];
    try {
      this.#post(batch, []);
    } catch {
      // One of them cannot be cloned: it alone fails.
      for (const message of batch) this.#postOrExplain(message);
    }
  }

  #postOrExplain(message: FromWorker): void {
    try {
      this.#post([message], []);
    } catch (cause) {
      this.#post([["failed", message[1], encodeError(explainNotCloneable(message[2], "result", { cause }))]], []);
    }
  }
}

export type HostEvents = {
  /** A task's turn has come: its module may still have to be imported, which runs code and can end the thread too. */
  readonly taken?: (from: number, callId: number) => void;
  /** A task begins or ends in this thread. */
  readonly started?: (from: number, callId: number, message: RunMessage) => void;
  readonly ended?: (from: number, message: RunMessage, ok: boolean) => void;
  /** A task was cancelled before it began. */
  readonly dropped?: (from: number, message: RunMessage) => void;
  /** All there was to do is done. */
  readonly idle?: () => void;
};

type Job = {
  readonly inbox: Inbox;
  readonly message: RunMessage;
  /** Asked when its turn has come; `false`: somebody took it back. */
  readonly claim?: (() => boolean) | undefined;
};

/** After this long without a turn of the event loop, timers and control messages get one. */
const TURN_MS = 10;

/**
 * Runs tasks: all at once as they come (`"concurrent"`, a loop) or one after the other (`"sequential"`, a pool's
 * worker). Answers gathered in one go leave in one message, but none waits behind the next task that takes long.
 */
export class Host {
  readonly #sequential: boolean;
  readonly #events: HostEvents;
  readonly #queue: Job[] = [];
  #head = 0;
  readonly #contexts = new Map<string, TaskContext>();
  readonly #cancelled = new Set<string>();
  readonly #unflushed = new Set<Inbox>();
  #busy = false;
  #pumping = false;

  constructor(mode: "concurrent" | "sequential", events: HostEvents) {
    this.#sequential = mode === "sequential";
    this.#events = events;
  }

  /** Tasks that wait or run. */
  get pending(): number {
    return this.#contexts.size + this.#queue.length - this.#head;
  }

  receive(inbox: Inbox, batch: readonly ToWorker[]): void {
    for (const message of batch) {
      switch (message[0]) {
        case "run":
          this.#queue.push({ inbox, message: inbox.lengthen(message) });
          break;
        case "cancel":
          this.#cancel(`${inbox.from}.${message[1]}`, message[2] === undefined ? undefined : decodeThrown(message[2]));
          break;
        default:
          message satisfies never;
      }
    }
    this.#pump();
  }

  /** Queues one task that its sender may take back until `claim` says it has begun. */
  receiveClaimable(inbox: Inbox, message: RunMessage, claim: () => boolean): void {
    this.#queue.push({ inbox, message, claim });
  }

  /** Forgets a running task, whose outcome nobody waits for any more. `false` if there is none of that id. */
  abandon(id: string): boolean {
    return this.#contexts.delete(id);
  }

  /** Runs what has been queued. */
  work(): void {
    this.#pump();
  }

  /** Sends the answers that are there. For the moment before the thread ends. */
  flush(): void {
    for (const inbox of this.#unflushed) inbox.flush();
    this.#unflushed.clear();
  }

  /** Runs one task beside whatever runs, on the event loop: for a task whose submitter, on this very thread, awaits it. */
  runBeside(inbox: Inbox, message: RunMessage): void {
    this.#start({ inbox, message }, false);
    this.flush();
  }

  #cancel(id: string, reason: unknown): void {
    const running = this.#contexts.get(id);
    if (running !== undefined) running.abort(reason);
    else if (this.#queue.length > this.#head) this.#cancelled.add(id);
  }

  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    const until = performance.now() + TURN_MS;
    try {
      while (!this.#busy && this.#head < this.#queue.length) {
        const job = this.#queue[this.#head] as Job;
        this.#head += 1;
        if (job.claim?.() === false) continue;
        this.#start(job, this.#sequential);
        // A pool's worker may be killed for the next task's sake, and a light answer must not wait for a heavy
        // neighbour: there each answer leaves at once. A loop's tasks share their fate; their answers leave together.
        if (this.#sequential) this.flush();
        const after = performance.now();
        if (after > until && this.#head < this.#queue.length) {
          setImmediate(() => this.#pump());
          return;
        }
      }
      if (this.#head === this.#queue.length) {
        this.#queue.length = 0;
        this.#head = 0;
        this.#cancelled.clear();
      }
    } finally {
      this.#pumping = false;
      this.flush();
    }
    if (!this.#busy && this.#queue.length === 0) this.#events.idle?.();
  }

  #start(job: Job, exclusive: boolean): void {
    const { inbox, message } = job;
    const id = `${inbox.from}.${message[1]}`;
    if (this.#cancelled.delete(id)) {
      this.#events.dropped?.(inbox.from, message);
      return;
    }
    this.#events.taken?.(inbox.from, message[1]);
    const context = new TaskContext(id);
    this.#contexts.set(id, context);
    const finish = (ok: boolean, value: unknown): void => {
      if (this.#contexts.get(id) !== context) return; // given up meanwhile
      this.#contexts.delete(id);
      this.#events.ended?.(inbox.from, message, ok);
      this.#answer(inbox, message[1], ok, value);
    };
    const fn = lookupTask(message[2]);
    const given = fn === undefined ? undefined : this.#call(fn, inbox.from, message, context);
    if (given?.sync === true) {
      finish(given.ok, given.value);
      return;
    }
    if (exclusive) this.#busy = true;
    const settled =
      given === undefined ? this.#find(inbox.from, message, context) : (given.value as PromiseLike<unknown>);
    const after = (ok: boolean, value: unknown): void => {
      if (exclusive) this.#busy = false;
      finish(ok, value);
      this.flush(); // before the next task, which may hold the thread for ever or end it
      if (exclusive) this.#pump();
      else {
        if (!this.#busy && this.#queue.length === this.#head && this.#contexts.size === 0) this.#events.idle?.();
      }
    };
    settled.then(
      (value) => after(true, value),
      (thrown: unknown) => after(false, thrown),
    );
  }

  async #find(from: number, message: RunMessage, context: TaskContext): Promise<unknown> {
    const fn = await findTask(message[2]);
    const given = this.#call(fn, from, message, context);
    if (given.sync && !given.ok) throw given.value;
    return given.value;
  }

  #call(
    fn: (...args: unknown[]) => unknown,
    from: number,
    message: RunMessage,
    context: TaskContext,
  ): { readonly sync: boolean; readonly ok: boolean; readonly value: unknown } {
    const [, callId, , encodedArgs, specials, carried] = message;
    try {
      this.#events.started?.(from, callId, message);
      const args = decodeValue(encodedArgs, specials) as readonly unknown[];
      const vars =
        carried === undefined ? undefined : (decodeValue(carried.value, carried.specials) as Record<string, unknown>);
      const value = runWithContext(vars, () => runInTask(context, () => fn(...args)));
      const thenable =
        value !== null && typeof value === "object" && typeof (value as { then?: unknown }).then === "function";
      return { sync: !thenable, ok: true, value };
    } catch (thrown) {
      return { sync: true, ok: false, value: thrown };
    }
  }

  #answer(inbox: Inbox, callId: number, ok: boolean, value: unknown): void {
    this.#unflushed.add(inbox);
    if (!ok) {
      inbox.answer(["failed", callId, encodeError(value)], []);
      return;
    }
    const primitive = value === null || (typeof value !== "object" && typeof value !== "function");
    if (primitive) {
      inbox.answer(["ok", callId, value, undefined], []);
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
