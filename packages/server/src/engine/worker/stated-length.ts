/** Holds a streamed answer to the length that its headers state: a byte more would be read as the next answer's first. */
import { InvalidReplyError } from "../../errors.ts";

export class StatedLength {
  readonly #stated: number;
  #sent = 0;

  /** @param headers the answer's, `name\nvalue\n...`. */
  constructor(headers: string | null) {
    const stated = headers === null ? null : /(?:^|\n)content-length\n(\d+)(?=\n|$)/.exec(headers);
    this.#stated = stated === null ? Number.NaN : Number(stated[1]);
  }

  /** @throws {InvalidReplyError} when there is more than was stated. */
  count(piece: string | Uint8Array): void {
    if (Number.isNaN(this.#stated)) return;
    this.#sent += typeof piece === "string" ? Buffer.byteLength(piece) : piece.byteLength;
    if (this.#sent > this.#stated) this.#fail(`at least ${this.#sent}`);
  }

  /** @throws {InvalidReplyError} when there was less than was stated. */
  end(): void {
    if (this.#sent < this.#stated) this.#fail(String(this.#sent));
  }

  #fail(found: string): never {
    throw new InvalidReplyError(
      `The content-length of a streamed reply says ${this.#stated} bytes, and it has ${found}. Leave the header out, or give it the right length.`,
    );
  }
}
