/** Moves a streamed answer to main: pieces as they are made, no more of them than main has given credit for. */
import { BYTES_TYPE, type EncodedReply, TEXT_TYPE } from "../../app/encode-reply.ts";
import { InvalidReplyError } from "../../errors.ts";
import { CHUNK_BYTES, type FromWorker } from "../wire.ts";
import { isPromise } from "./is-promise.ts";
import { StatedLength } from "./stated-length.ts";
import { turn } from "./turns.ts";

/** Pieces are joined only when a source gave so many at once, each within FAST_MS: then it is a matter of microseconds. */
const FAST_STREAK = 32;
const FAST_MS = 0.05;
const JOINED_BYTES = 16 * 1024;
const JOINED_MS = 1;

type Post = (message: FromWorker, transfer?: readonly ArrayBuffer[]) => void;

export interface PumpHooks {
  /** The head has left: from here on there is no other answer. */
  onHead(): void;
  /** All has been sent, or (`error`) it broke off after the head. */
  onEnd(error: unknown): void;
}

export class StreamPump {
  readonly #slot: number;
  readonly #reply: EncodedReply;
  readonly #post: Post;
  readonly #hooks: PumpHooks;
  readonly #costUs: number;
  readonly #length: StatedLength;
  #credit: number;
  #waiting: (() => void) | undefined;
  #cancelled = false;
  #headSent = false;
  #text = "";
  #textSince = 0;
  #streak = 0;
  #scheduled = false;
  #ended = false;

  /** @param window so many pieces may be on their way to main */
  constructor(slot: number, reply: EncodedReply, costUs: number, window: number, post: Post, hooks: PumpHooks) {
    this.#credit = window;
    this.#slot = slot;
    this.#reply = reply;
    this.#costUs = costUs;
    this.#post = post;
    this.#hooks = hooks;
    this.#length = new StatedLength(reply.headers);
  }

  get isEventStream(): boolean {
    return isEventStream(this.#reply);
  }

  /** Main has taken so many pieces. */
  credit(chunks: number): void {
    this.#credit += chunks;
    this.#wake();
  }

  /** Nobody wants the rest: the generator's `finally` runs. */
  cancel(): void {
    if (this.#cancelled) return;
    this.#cancelled = true;
    this.#wake();
    this.#return();
    // The source may be waiting for something that never comes; for the request it is over now.
    this.#end(undefined);
  }

  /** Runs until the end. @throws what the source throws before its first piece: that can still be answered. */
  async run(): Promise<void> {
    const { stream } = this.#reply;
    if (stream === null) return;
    try {
      for (;;) {
        const asked = performance.now();
        const result = stream.next();
        const step = isPromise(result) ? await result : result;
        if (this.#cancelled) break;
        const now = performance.now();
        this.#streak = now - asked < FAST_MS ? this.#streak + 1 : 0;
        if (step.done === true) break;
        const piece = typeof step.value === "string" ? step.value : bytesOf(step.value);
        this.#length.count(piece);
        if (!this.#headSent) this.#head(piece);
        const waits = this.#piece(piece, now);
        if (waits !== undefined) await waits;
        if (this.#cancelled) break;
        const others = turn(now);
        if (others !== undefined) {
          await others;
          if (this.#cancelled) break;
        }
      }
      if (!this.#cancelled) {
        this.#length.end();
        if (!this.#headSent) this.#head(undefined);
        await this.#flush();
      }
      this.#end(undefined);
    } catch (error) {
      if (!this.#headSent && !this.#cancelled) {
        this.#return();
        throw error;
      }
      this.#return();
      // What came before it has been yielded, and its client shall have it.
      if (!this.#cancelled) await this.#flush();
      this.#end(error);
    }
  }

  #head(first: unknown): void {
    const { status, headers, contentType } = this.#reply;
    this.#headSent = true;
    const type = contentType === BYTES_TYPE && typeof first === "string" ? TEXT_TYPE : contentType;
    this.#hooks.onHead();
    this.#post({ type: "stream-head", slot: this.#slot, status, contentType: type, headers, costUs: this.#costUs });
  }

  /** Takes a piece; a promise where it has to wait for credit. */
  #piece(piece: string | Uint8Array, now: number): Promise<void> | undefined {
    if (typeof piece === "string") {
      if (piece === "") return undefined;
      if (this.#text === "") this.#textSince = now;
      this.#text += piece;
      const joins =
        this.#streak >= FAST_STREAK && this.#text.length < JOINED_BYTES && now - this.#textSince < JOINED_MS;
      if (!joins) return this.#flush();
      this.#flushSoon();
      return undefined;
    }
    if (piece.byteLength === 0) return undefined;
    if (this.#text === "" && piece.byteLength <= CHUNK_BYTES && this.#credit > 0) {
      this.#sendBytes(piece);
      return undefined;
    }
    return this.#sendAll(piece);
  }

  /** Should the source pause now, what has been joined leaves at the end of this turn. */
  #flushSoon(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#credit > 0 && !this.#cancelled) void this.#flush();
    });
  }

  /** Sends the text that has been joined. */
  #flush(): Promise<void> | undefined {
    const text = this.#text;
    if (text === "") return undefined;
    this.#text = "";
    if (text.length * 3 <= CHUNK_BYTES || Buffer.byteLength(text) <= CHUNK_BYTES) {
      if (this.#credit > 0) {
        this.#credit--;
        this.#post({ type: "stream-chunk", slot: this.#slot, chunk: text });
        return undefined;
      }
      return this.#whenCredit().then(() => {
        if (this.#cancelled) return;
        this.#credit--;
        this.#post({ type: "stream-chunk", slot: this.#slot, chunk: text });
      });
    }
    return this.#sendAll(Buffer.from(text));
  }

  async #sendAll(bytes: Uint8Array): Promise<void> {
    await this.#flush();
    for (let at = 0; at < bytes.byteLength && !this.#cancelled; at += CHUNK_BYTES) {
      await this.#whenCredit();
      if (!this.#cancelled) this.#sendBytes(bytes.subarray(at, at + CHUNK_BYTES));
    }
  }

  #sendBytes(bytes: Uint8Array): void {
    this.#credit--;
    // A copy, because whoever made the piece may use its memory again; the copy is moved.
    const chunk = new Uint8Array(bytes);
    this.#post({ type: "stream-chunk", slot: this.#slot, chunk }, [chunk.buffer]);
  }

  async #whenCredit(): Promise<void> {
    while (this.#credit <= 0 && !this.#cancelled) {
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    }
  }

  #end(error: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#hooks.onEnd(error);
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.();
  }

  #return(): void {
    try {
      const returned = this.#reply.stream?.return();
      if (isPromise(returned)) returned.then(undefined, () => undefined);
    } catch {
      // What a generator's finally throws has nobody left to hear it.
    }
  }
}

/** Server-sent events: a stream that is meant never to end, and whose client connects again when it does. */
export function isEventStream({ headers }: EncodedReply): boolean {
  return headers !== null && /(?:^|\n)content-type\ntext\/event-stream/i.test(headers);
}

function bytesOf(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  throw new InvalidReplyError(
    `A streamed reply yields strings and bytes; got ${value === null ? "null" : typeof value}. Write JSON.stringify(row) + "\\n" for rows.`,
  );
}
