import { HttpError } from "../../errors.ts";
import { UPLOAD_STEP, UPLOAD_WINDOW } from "../wire.ts";

/** A request's body in the worker while it comes in: pieces from main, handed to whoever reads the web stream. */
export class BodySource {
  readonly stream: ReadableStream<Uint8Array>;
  readonly #queue: Uint8Array[] = [];
  readonly #credit: (chunks: number) => void;
  #ended = false;
  #error: Error | undefined;
  #cancelled = false;
  #waiting: (() => void) | undefined;
  #taken = 0;
  #given = 0;
  #most = Number.POSITIVE_INFINITY;

  /** @param credit tells main that so many pieces have been taken. */
  constructor(credit: (chunks: number) => void) {
    this.#credit = credit;
    credit(UPLOAD_WINDOW);
    this.stream = new ReadableStream<Uint8Array>(
      {
        pull: (controller) => {
          if (this.#queue.length > 0 || this.#ended) {
            this.#give(controller);
            return;
          }
          return new Promise<void>((resolve) => {
            this.#waiting = () => {
              this.#give(controller);
              resolve();
            };
          });
        },
        cancel: () => this.#drop(),
      },
      { highWaterMark: 0 },
    );
  }

  /** Why it never will be complete. */
  get error(): Error | undefined {
    return this.#error;
  }
  /** From here on somebody collects it: more than so many bytes are an error, a 413. */
  bound(bytes: number): void {
    this.#most = bytes;
  }
  push(chunks: readonly Uint8Array[]): void {
    if (this.#cancelled) {
      this.#credit(chunks.length);
      return;
    }
    for (const chunk of chunks) this.#queue.push(chunk);
    this.#wake();
  }
  /** @param late the client took too long for it: where its handler does not catch that, the answer is a 408. */
  end(error: string | null, late = false): void {
    if (this.#ended) return;
    this.#ended = true;
    if (error !== null) this.#error = late ? new HttpError(408, error) : new Error(error);
    this.#wake();
  }

  #give(controller: ReadableStreamDefaultController<Uint8Array>): void {
    if (this.#cancelled) return;
    const chunk = this.#queue.shift();
    if (chunk !== undefined) {
      this.#given += chunk.byteLength;
      if (this.#given > this.#most) {
        controller.error(new HttpError(413, `The body is larger than ${this.#most} bytes.`));
        this.#drop();
        return;
      }
      controller.enqueue(chunk);
      this.#took();
    } else if (this.#error !== undefined) controller.error(this.#error);
    else controller.close();
  }
  /** Main goes on sending what the client sends; from here on it is dropped. */
  #drop(): void {
    this.#cancelled = true;
    this.#credit(this.#taken + this.#queue.length);
    this.#taken = 0;
    this.#queue.length = 0;
  }
  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.();
  }
  #took(): void {
    if (++this.#taken < UPLOAD_STEP && this.#queue.length > 0) return;
    this.#credit(this.#taken);
    this.#taken = 0;
  }
}
