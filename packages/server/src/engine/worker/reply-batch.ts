/** Answers that leave together. What is held back is only ever what may be lost and run again: answers to GET and HEAD. */
import type { EncodedReply } from "../../app/encode-reply.ts";
import { packCost, pushReply } from "../envelope.ts";
import type { FromWorker } from "../wire.ts";

/** Bodies from here on are moved to main: a message's content is copied twice, once of it on main. */
const MOVED_BYTES = 64 * 1024;

/** An answer waits no longer than this for the ones behind it, in milliseconds. */
const LONGEST_WAIT_MS = 0.5;

const encoder = new TextEncoder();

export class ReplyBatch {
  readonly #post: (message: FromWorker, transfer?: readonly ArrayBuffer[]) => void;
  #batch: unknown[] = [];
  #moved: ArrayBuffer[] = [];
  #unsafe = false;
  #oldest = 0;
  #scheduled = false;

  constructor(post: (message: FromWorker, transfer?: readonly ArrayBuffer[]) => void) {
    this.#post = post;
  }

  push(slot: number, reply: EncodedReply, costUs: number, async: boolean, safe: boolean, now: number): void {
    if (this.#batch.length === 0) this.#oldest = now;
    if (!safe) this.#unsafe = true;
    const { status, contentType, headers } = reply;
    pushReply(this.#batch, slot, status, contentType, headers, this.#movable(reply.body), packCost(costUs, async));
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
    if (this.#moved.length === 0) {
      this.#post({ type: "replies", batch });
      return;
    }
    const moved = this.#moved;
    this.#moved = [];
    this.#post({ type: "replies", batch }, moved);
  }

  /** A large body as bytes that can be moved: text is encoded here and not on main, and the handler's own bytes stay its own. */
  #movable(body: EncodedReply["body"]): EncodedReply["body"] {
    if (body === null || (typeof body === "string" ? body.length : body.byteLength) < MOVED_BYTES) return body;
    const bytes = typeof body === "string" ? encoder.encode(body) : new Uint8Array(body);
    this.#moved.push(bytes.buffer as ArrayBuffer);
    return bytes;
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
