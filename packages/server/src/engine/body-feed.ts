/** A request's body on its way to its handler while it comes in: pieces over the port, no more of them than are wanted. */
import type { InFlight } from "./in-flight.ts";
import type { WorkerLink } from "./worker-link.ts";

export class BodyFeed {
  readonly #request: InFlight;
  readonly #link: WorkerLink;
  readonly #onFailed: (status: 400 | 413, detail: string) => void;
  /** None until the worker has begun: until then the request can still be taken back. */
  #credit = 0;
  #bytes = 0;
  #done = false;
  /** Pieces of this turn of the loop: they leave in one message. */
  #pieces: Uint8Array[] = [];

  /** @param onFailed the body is too large, or broke off. */
  constructor(request: InFlight, link: WorkerLink, onFailed: (status: 400 | 413, detail: string) => void) {
    this.#request = request;
    this.#link = link;
    this.#onFailed = onFailed;
    const stream = request.bodyStream;
    if (stream === null) return;
    stream.on("data", this.#onData);
    stream.on("end", this.#onEnd);
    stream.on("close", this.#onClose);
    stream.on("error", this.#onClose);
    stream.pause();
  }

  /** The handler has taken so many pieces. */
  credit(chunks: number): void {
    if (this.#done) return;
    if (this.#credit === 0) this.#request.bodyStream?.resume();
    this.#credit += chunks;
  }

  /** The request was taken back before any of its body had been sent: another feed takes over. */
  detach(): void {
    this.#done = true;
    const stream = this.#request.bodyStream;
    stream?.off("data", this.#onData);
    stream?.off("end", this.#onEnd);
    stream?.off("close", this.#onClose);
    stream?.off("error", this.#onClose);
  }

  /** Nobody wants the rest: it is read and thrown away, so that the connection stays usable. */
  stop(): void {
    if (this.#done) return;
    this.#done = true;
    this.#pieces = [];
    const stream = this.#request.bodyStream;
    stream?.off("data", this.#onData);
    stream?.off("end", this.#onEnd);
    stream?.resume();
  }

  /** The rest will not be waited for: its handler hears so where it reads on. */
  giveUp(): void {
    if (this.#done) return;
    this.#flush();
    this.stop();
    const error = "The body did not come in time.";
    this.#link.post({ type: "body-end", slot: this.#request.slot, error, late: true });
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#done) return;
    this.#bytes += chunk.byteLength;
    if (this.#bytes > this.#request.route.streamLimitBytes) {
      this.#fail(413, `The body is larger than ${this.#request.route.streamLimitBytes} bytes.`);
      return;
    }
    // A piece that has its memory to itself is moved; one that shares a slab is copied out of it first.
    const whole =
      chunk.byteOffset === 0 && chunk.byteLength === chunk.buffer.byteLength && chunk.buffer instanceof ArrayBuffer;
    const piece = whole ? new Uint8Array(chunk.buffer as ArrayBuffer) : new Uint8Array(chunk);
    if (this.#pieces.push(piece) === 1) setImmediate(this.#flush);
    if (--this.#credit === 0) this.#request.bodyStream?.pause();
  };

  readonly #flush = (): void => {
    const chunks = this.#pieces;
    if (chunks.length === 0) return;
    this.#pieces = [];
    this.#link.post(
      { type: "body-chunks", slot: this.#request.slot, chunks },
      chunks.map((piece) => piece.buffer as ArrayBuffer),
    );
  };

  readonly #onEnd = (): void => {
    if (this.#done) return;
    this.#done = true;
    this.#flush();
    this.#link.post({ type: "body-end", slot: this.#request.slot, error: null });
  };

  readonly #onClose = (): void => {
    if (!this.#done) this.#fail(400, "The body broke off.");
  };

  #fail(status: 400 | 413, detail: string): void {
    this.#flush();
    this.stop();
    this.#link.post({ type: "body-end", slot: this.#request.slot, error: detail });
    this.#onFailed(status, detail);
  }
}
