/** Answers that leave together. What is held back is only ever what may be lost and run again: answers to GET and HEAD. */
import type { EncodedReply } from "../../app/encode-reply.ts";
import { packCost, pushReply } from "../envelope.ts";
import type { FromWorker } from "../wire.ts";

/** An answer waits no longer than this for the ones behind it, in milliseconds. */
const LONGEST_WAIT_MS = 0.5;

export class ReplyBatch {
  readonly #post: (message: FromWorker) => void;
  #batch: unknown[] = [];
  #unsafe = false;
  #oldest = 0;
  #scheduled = false;

  constructor(post: (message: FromWorker) => void) {
    this.#post = post;
  }

  push(slot: number, reply: EncodedReply, costUs: number, async: boolean, safe: boolean, now: number): void {
    if (this.#batch.length === 0) this.#oldest = now;
    if (!safe) this.#unsafe = true;
    pushReply(this.#batch, slot, reply.status, reply.contentType, reply.headers, reply.body, packCost(costUs, async));
  }

  /** Main shall know that a handler awaits: its thread is free for others. */
  notice(slot: number, costUs: number, now: number): void {
    if (this.#batch.length === 0) this.#oldest = now;
    pushReply(this.#batch, slot, 0, 0, null, null, packCost(costUs, true));
  }

  /** Before a handler gets the thread: send what it must not hold back. `brief` is whether it is known to be over at once. */
  flushBefore(brief: boolean, now: number): void {
    if (this.#batch.length === 0) return;
    if (this.#unsafe || !brief || now - this.#oldest > LONGEST_WAIT_MS) this.flush();
  }

  flush(): void {
    if (this.#batch.length === 0) return;
    const batch = this.#batch;
    this.#batch = [];
    this.#unsafe = false;
    this.#post({ type: "replies", batch });
  }

  /** At the end of this turn of the loop. */
  flushSoon(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(this.#run);
  }
  readonly #run = (): void => {
    this.#scheduled = false;
    this.flush();
  };
}
