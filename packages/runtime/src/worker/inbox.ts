import { performance } from "node:perf_hooks"; // the global one is a getter, and a test may have replaced it
import { type MessagePort, receiveMessageOnPort, type Transferable } from "node:worker_threads";
import { isBlockedAt, ring } from "../future/doorbell.ts";
import { paysToSpin, spinOn } from "../future/spinning.ts";
import { lookupTask } from "../task/find-task.ts";
import type { TaskFunction, TaskRef } from "../task/task-ref.ts";
import { type AnswerRing, countMail, mustWake, POSTED, uncountMail, writeAnswer } from "../wire/answer-ring.ts";
import { explainNotCloneable } from "../wire/clone-path.ts";
import { encodeError } from "../wire/error-codec.ts";
import { type FromWorker, LOOK, type PostFromWorker, type PostToWorker } from "../wire/messages.ts";
import { ClaimReader } from "./claims.ts";

/** After this long without a turn of the event loop, timers and control messages get one. */
export const TURN_MS = 10;

/** The way of small answers. `wake` and `isBlocked` say whether the submitter stands in a blocking wait. */
type Scalars = { readonly ring: AnswerRing; wake(): boolean; isBlocked(): boolean };

/** Where tasks come from and answers go: a submitter's direct port, or the supervisor speaking for one. */
export class Inbox {
  /** The submitting thread. */
  readonly from: number;
  readonly claims: ClaimReader = new ClaimReader();
  /** That thread has ended: what it sent and has not begun is not run any more. */
  closed = false;
  readonly #post: (answers: readonly FromWorker[], transfer: readonly Transferable[]) => void;
  readonly #scalars: Scalars | undefined;
  readonly #tasks: TaskRef[] = [];
  readonly #functions: (TaskFunction | undefined)[] = [];
  #outbox: FromWorker[] = [];
  #written = false;
  /** Whether the last answer ended a blocking wait: the next task may follow at once. */
  #freedBlocked = false;

  constructor(
    from: number,
    post: (answers: readonly FromWorker[], transfer: readonly Transferable[]) => void,
    scalars?: Scalars,
  ) {
    this.from = from;
    this.#post = post;
    this.#scalars = scalars;
  }

  /** An inbox that answers over the submitter's direct port, and with what is small through memory that both share. */
  static onPort(from: number, port: MessagePort, bell: Int32Array, answers: AnswerRing): Inbox {
    const post = (batch: readonly FromWorker[], transfer: readonly Transferable[]): void => {
      const [only] = batch;
      const isFlat = batch.length === 1 && only?.[0] === "ok" && only[3] === undefined;
      const message: PostFromWorker = isFlat ? [only[1], only[2]] : batch;
      countMail(answers);
      try {
        port.postMessage(message, transfer as Transferable[]);
      } catch (error) {
        uncountMail(answers);
        throw error;
      }
      ring(bell);
    };
    const wake = (): boolean => {
      // Blocked, it waits for its bell alone; else its event loop needs a message, but only if it does not look anyway.
      const isBlocked = isBlockedAt(bell);
      if (isBlocked) ring(bell);
      else if (mustWake(answers)) {
        countMail(answers);
        port.postMessage(LOOK);
      }
      return isBlocked;
    };
    return new Inbox(from, post, { ring: answers, wake, isBlocked: () => isBlockedAt(bell) });
  }

  /** Over a direct port a task's reference crosses once; `number` stands for it from then on. */
  learnTask(number: number, task: TaskRef): void {
    this.#tasks[number] = task;
  }

  taskOf(number: number): TaskRef {
    return this.#tasks[number] as TaskRef;
  }

  /** The function of a task that this thread knows already. */
  functionOf(number: number, task: TaskRef): TaskFunction | undefined {
    if (number < 0) return lookupTask(task);
    this.#functions[number] ??= lookupTask(task);
    return this.#functions[number];
  }

  /**
   * Takes what comes over the port and gives it to `receive`. After an answer to a thread that blocks it looks a moment
   * for that thread's next task before it leaves the event loop to sleep, as long as that pays.
   */
  serve(port: MessagePort, receive: (post: PostToWorker) => void): void {
    const posted = this.#scalars?.ring;
    let until = 0;
    const take = (post: PostToWorker): void => {
      this.#freedBlocked = false;
      receive(post);
      if (this.#freedBlocked && posted !== undefined && paysToSpin("lingering")) afterThisTurn(() => linger(posted));
    };
    const linger = (words: AnswerRing): void => {
      const now = performance.now();
      if (until === 0) until = now + TURN_MS;
      if (now >= until) return;
      const heard = Atomics.load(words, POSTED);
      const next =
        receiveMessageOnPort(port) ??
        (spinOn("lingering", words, POSTED, heard, now, until) ? receiveMessageOnPort(port) : undefined);
      if (next !== undefined) take(next.message as PostToWorker);
    };
    port.on("message", (post: PostToWorker) => {
      until = 0;
      take(post);
    });
  }

  /** Answers with a primitive. */
  answerScalar(callId: number, value: unknown): void {
    if (this.#scalars !== undefined && writeAnswer(this.#scalars.ring, callId, value)) this.#written = true;
    else this.answer(["ok", callId, value, undefined], []);
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
    if (this.#written) {
      this.#written = false;
      this.#freedBlocked = this.#scalars?.wake() === true;
    }
    if (this.#outbox.length === 0) return;
    const batch = this.#outbox;
    this.#outbox = [];
    this.#freedBlocked = this.#scalars?.isBlocked() === true;
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

const settled = Promise.resolve();

/**
 * When the microtasks and ticks of this turn have run, those that they make included: a task leaves some behind, which
 * its successor counts on.
 */
function afterThisTurn(fn: () => void): void {
  void settled.then(() => process.nextTick(fn));
}
