/** Writes an answer through Fastify's reply, so that plugins' hooks (compression, CORS, headers) see it. */
import { Readable } from "node:stream";
import type { FastifyReply } from "fastify";
import type { ContentType } from "../app/encode-reply.ts";
import type { ReplySink } from "../engine/in-flight.ts";
import { bodyBehind, responseHeaders } from "./header-lines.ts";
import { breakOff } from "./http2-request.ts";
import type { ServerPhase } from "./server-phase.ts";

/** Until the next look whether what is to come before the end has been taken. */
const LOOK_AGAIN_MS = 10;

export class FastifySink implements ReplySink {
  readonly #reply: FastifyReply;
  readonly #phase: ServerPhase;
  #stream: Readable | undefined;
  #drain: (() => void) | undefined;

  constructor(reply: FastifyReply, phase: ServerPhase) {
    this.#reply = reply;
    this.#phase = phase;
  }

  whole(status: number, contentType: ContentType, headers: string | null, body: string | Uint8Array | null): void {
    const reply = this.#reply;
    if (reply.sent) return;
    this.#head(status, contentType, headers);
    // Fastify counts what is there.
    if (body !== null) reply.removeHeader("content-length");
    if (body === null) void reply.send();
    else void reply.send(this.#asTyped(bodyBehind(headers, body)));
  }

  /**
   * The body in the shape in which Fastify leaves its content type alone: to JSON's in front of a string it adds a charset,
   * and to bytes that have none its own. What the app said stands.
   */
  #asTyped(body: string | Uint8Array): string | Buffer | Readable {
    const type = String(this.#reply.getHeader("content-type") ?? "");
    if (typeof body === "string" && (!/json/i.test(type) || /;\s*charset\s*=/i.test(type))) return body;
    const bytes =
      typeof body === "string" ? Buffer.from(body) : Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    if (type !== "") return bytes;
    this.#reply.header("content-length", bytes.byteLength);
    return Readable.from(bytes);
  }

  begin(status: number, contentType: ContentType, headers: string | null): void {
    if (this.#reply.sent) return;
    this.#head(status, contentType, headers);
    const wake = (): void => {
      const drain = this.#drain;
      this.#drain = undefined;
      drain?.();
    };
    this.#stream = new Readable({ highWaterMark: 64 * 1024, read: wake });
    void this.#reply.send(this.#stream);
  }

  write(chunk: string | Uint8Array, onDrain: () => void): boolean {
    const stream = this.#stream;
    if (stream === undefined || stream.destroyed) return true;
    if (stream.push(chunk)) return true;
    this.#drain = onDrain;
    return false;
  }

  end(): void {
    this.#stream?.push(null);
  }

  destroy(): void {
    const { raw } = this.#reply;
    const stream = this.#stream;
    const cut = (): void => {
      if (raw.destroyed || stream === undefined || stream.destroyed) return;
      // No event says that the hooks have taken it all, whichever way they read.
      if (stream.readableLength > 0) setTimeout(cut, LOOK_AGAIN_MS);
      else breakOff(raw, () => stream.destroy(new Error("The answer broke off")));
    };
    if (stream === undefined) raw.destroy();
    else cut();
  }

  #head(status: number, contentType: ContentType, headers: string | null): void {
    const reply = this.#reply;
    if (this.#phase.draining) reply.raw.shouldKeepAlive = false;
    reply.code(status);
    const flat = responseHeaders(reply.raw.req, contentType, headers);
    // Given one by one, of repeated lines Fastify would keep the last.
    const lines = new Map<string, string[]>();
    for (let i = 0; i + 1 < flat.length; i += 2) {
      const [name, value] = [flat[i] as string, flat[i + 1] as string];
      const before = SINGLE.has(name) ? undefined : lines.get(name);
      if (before === undefined) lines.set(name, [value]);
      else before.push(value);
    }
    for (const [name, values] of lines) reply.header(name, values.length === 1 ? values[0] : values);
  }
}

/** Fastify reads the one and counts the other: the last stands. */
const SINGLE: ReadonlySet<string> = new Set(["content-type", "content-length"]);
