/** The submitting end of a direct port to a worker. Its counterpart is `host.ts`. */
import { setImmediate } from "node:timers"; // not the one that a test may have replaced by a clock of its own
import { type MessagePort, receiveMessageOnPort, type Transferable } from "node:worker_threads";
import { type BlockingWait, drainWhileBlocked } from "../future/doorbell.ts";
import { openTask, type TaskFuture } from "../future/task-future.ts";
import type { TaskRef } from "../task/task-ref.ts";
import { type AnswerRing, hasAnswers, mailed, POSTED, readAnswers, rest } from "../wire/answer-ring.ts";
import { encodeError } from "../wire/error-codec.ts";
import {
  isFlat,
  LOOK,
  type PostFromWorker,
  type PostToWorker,
  type RunMessage,
  type ToWorker,
} from "../wire/messages.ts";
import { ClaimBook } from "./claims.ts";
import type { EncodedTask } from "./encoded-task.ts";

/**
 * Sends tasks to one worker and takes its answers. What one turn of the event loop submits goes as one message; a task
 * whose arguments could still be changed goes at once.
 */
export class Submitter {
  readonly #port: MessagePort;
  readonly #answers: AnswerRing;
  /** For tasks that can be taken back. */
  readonly claims: ClaimBook = new ClaimBook();
  #outbox: ToWorker[] = EMPTY;
  /** Whether the end of this turn sends the outbox. A thread that only ever blocks comes to no end of a turn. */
  #flushesAtEnd = false;
  /** The last message of the outbox, while it can take more tasks. */
  #many: unknown[] | undefined;
  /** In place of an outbox: the one task that there is so far. */
  #one: FlatPost | undefined;
  readonly #shortNames = new Map<TaskRef, number>();
  #named = 0;
  readonly #undrain: () => void;
  readonly #onAnswer: ((future: TaskFuture<unknown>) => void) | undefined;
  #looking = false;
  /** How many messages have come; it wraps as the worker's count does. */
  #received = 0;

  /** `answers` is shared with the worker; see answer-ring.ts. */
  constructor(port: MessagePort, answers: AnswerRing, onAnswer?: (future: TaskFuture<unknown>) => void) {
    this.#port = port;
    this.#answers = answers;
    this.#onAnswer = onAnswer;
    port.on("message", (message: PostFromWorker | typeof LOOK) => {
      this.#received = (this.#received + 1) | 0;
      if (message === LOOK) this.#look();
      else this.#take(message);
    });
    port.unref();
    this.#undrain = drainWhileBlocked(this);
  }

  /** `order`: the task's number in `claims`; -1 where it cannot be taken back. */
  send(task: EncodedTask, order = -1): void {
    const number = task.copied ? this.#shortNames.get(task.task) : undefined;
    if (number !== undefined) {
      if (this.#outbox.length > 0 || this.#one !== undefined || (order >= 0 && this.claims.hasFresh))
        this.#sendFlat(task, number, order);
      else {
        this.#one = flat(task, number, order);
        this.#flushSoon();
      }
      return;
    }
    const claims = order < 0 ? undefined : this.claims.claims(order);
    if (task.copied) {
      this.#enqueue(task.messageAs(this.#shorten(task.task), claims));
      return;
    }
    this.flush();
    const known = this.#shortNames.size;
    try {
      const message = task.messageAs(this.#shorten(task.task), claims);
      this.#post([message], task.transfer);
    } catch (error) {
      // It never got there.
      if (this.#shortNames.size > known) this.#shortNames.delete(task.task);
      if (claims !== undefined) this.claims.restore(claims);
      throw error;
    }
  }

  #sendFlat({ callId, submittedAt, args }: FlatTask, number: number, order: number): void {
    this.#joinOne();
    if (this.#many === undefined || (order >= 0 && this.claims.hasFresh)) {
      const flat = [callId, number, args.length, ...args];
      this.#enqueue(["many", submittedAt, order < 0 ? undefined : this.claims.claims(order), flat]);
      this.#many = flat;
      return;
    }
    this.#many.push(callId, number, args.length);
    for (let i = 0; i < args.length; i++) this.#many.push(args[i]);
    if (this.#many.length > FULL) this.flush();
  }

  /** The one task is no longer alone: it becomes the first of a batch. */
  #joinOne(): void {
    if (this.#one === undefined) return;
    const [callId, number, submittedAt, order, ...args] = this.#one;
    this.#one = undefined;
    this.#sendFlat({ callId, submittedAt, args }, number, order);
  }

  #enqueue(message: ToWorker): void {
    this.#joinOne();
    this.#many = undefined;
    if (this.#outbox.length === 0) this.#outbox = [message];
    else this.#outbox.push(message);
    this.#flushSoon();
  }

  #flushSoon(): void {
    if (this.#flushesAtEnd) return;
    this.#flushesAtEnd = true;
    void settled.then(this.#atEnd);
  }

  readonly #atEnd = (): void => {
    this.#flushesAtEnd = false;
    this.flush();
  };

  /** A task's reference as the number that the worker knows it by, or is told now. */
  #shorten(ref: TaskRef): RunMessage[2] {
    const known = this.#shortNames.get(ref);
    if (known !== undefined) return known as never;
    const as = this.#named++;
    this.#shortNames.set(ref, as);
    return { ...ref, as };
  }

  cancel(callId: number, reason: unknown): void {
    // In one message with a task that has not left yet: then it does not begin.
    this.#enqueue(["cancel", callId, reason === undefined ? undefined : encodeError(reason)]);
    this.flush();
  }

  flush(): void {
    const one = this.#one;
    if (one !== undefined) {
      this.#one = undefined;
      this.#post(one);
      return;
    }
    if (this.#outbox.length === 0) return;
    const batch = this.#outbox;
    this.#outbox = EMPTY;
    this.#many = undefined;
    this.#post(batch);
  }

  #post(post: PostToWorker, transfer?: readonly Transferable[]): void {
    this.#port.postMessage(post, transfer as Transferable[] | undefined);
    Atomics.add(this.#answers, POSTED, 1);
  }

  /** Takes the small answers that are there: next to nothing where there are none. */
  peek(): void {
    readAnswers(this.#answers, this.#takeValue);
  }

  get hasAnswers(): boolean {
    return hasAnswers(this.#answers);
  }

  /** Takes the answers that are there, without an event loop. */
  drain(wait?: BlockingWait): void {
    while (this.#received !== mailed(this.#answers)) {
      const got = receiveMessageOnPort(this.#port);
      if (got === undefined) break; // it is about to be posted, and then the bell rings
      this.#received = (this.#received + 1) | 0;
      if (got.message !== LOOK) this.#take(got.message as PostFromWorker);
      if (wait?.done() === true) break;
    }
    this.#readAll(); // also for a LOOK that was among them: nobody else would
  }

  close(): void {
    this.#undrain();
    this.#port.close();
  }

  /** In a stream of answers the next look needs no message: it comes with the next turn of the event loop. */
  #look(): void {
    if (this.#looking) return;
    if (readAnswers(this.#answers, this.#takeValue) < STREAM) {
      this.#readAll();
      return;
    }
    this.#looking = true;
    setImmediate(() => {
      this.#looking = false;
      this.#look();
    });
  }

  /** Reads until nothing is left, and from then on wants to be woken. */
  #readAll(): void {
    do {
      this.peek();
      rest(this.#answers);
    } while (hasAnswers(this.#answers));
  }

  readonly #takeValue = (callId: number, value: unknown): void => {
    const future = openTask(callId);
    if (future === undefined) return; // cancelled here meanwhile
    this.#onAnswer?.(future);
    future.settleWith(value);
  };

  #take(post: PostFromWorker): void {
    if (isFlat(post)) {
      this.#takeValue(post[0], post[1]);
      return;
    }
    for (const answer of post) {
      const future = openTask(answer[1]);
      if (future === undefined) continue; // cancelled here meanwhile
      this.#onAnswer?.(future);
      future.settleFromWire(answer);
    }
  }
}

/** Spelt out for a few arguments: a spread would take five times the memory. */
function flat({ callId, submittedAt, args }: FlatTask, number: number, order: number): FlatPost {
  switch (args.length) {
    case 0:
      return [callId, number, submittedAt, order];
    case 1:
      return [callId, number, submittedAt, order, args[0]];
    case 2:
      return [callId, number, submittedAt, order, args[0], args[1]];
    default:
      return [callId, number, submittedAt, order, ...args];
  }
}

type FlatPost = Extract<PostToWorker, readonly [number, ...unknown[]]>;

type FlatTask = Pick<EncodedTask, "callId" | "submittedAt" | "args">;

/** In place of a new array for each batch: where it stands, an array is made with the first message. */
const EMPTY: ToWorker[] = [];

/** A microtask by way of a promise costs less than half of what queueMicrotask() does. */
const settled = Promise.resolve();

/** A message of so many words leaves before the turn ends: its worker begins, and neither side copies a huge one. */
const FULL = 2048;

/** So many answers at one look are a stream. */
const STREAM = 4;
