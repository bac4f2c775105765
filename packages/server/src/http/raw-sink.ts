/** Writes an answer straight to Node's response: the quick way, where no Fastify plugin wants to see it. */
import type { ServerResponse } from "node:http";
import { CONTENT_TYPES, type ContentType } from "../app/encode-reply.ts";
import type { ReplySink } from "../engine/in-flight.ts";
import { bodyBehind, responseHeaders, takeHeader } from "./header-lines.ts";
import { breakOff, cutWhenStalled } from "./http2-request.ts";
import type { ServerPhase } from "./server-phase.ts";

/**
 * So much of a streamed answer may wait for its client here, beside the pieces on their way; and of all of them together,
 * as long as each has the least. It is what one client can have the kernel take in one go, while nobody else is served.
 */
const MOST_BUFFERED_BYTES = 512 * 1024;
const LEAST_BUFFERED_BYTES = 64 * 1024;
const ALL_BUFFERED_BYTES = 16 * 1024 * 1024;

export class RawSink implements ReplySink {
  readonly #response: ServerResponse;
  readonly #phase: ServerPhase;
  #drain: (() => void) | undefined;
  /** Bytes of a streamed answer that its content-length promises and that are still to come; NaN where none is stated. */
  #promised = Number.NaN;
  complete = false;

  constructor(response: ServerResponse, phase: ServerPhase) {
    this.#response = response;
    this.#phase = phase;
  }

  whole(status: number, contentType: ContentType, headers: string | null, body: string | Uint8Array | null): void {
    const response = this.#response;
    if (response.destroyed || response.headersSent) return;
    if (this.#phase.draining) response.shouldKeepAlive = false;
    if (headers === null && body !== null) {
      const length = typeof body === "string" ? Buffer.byteLength(body) : body.byteLength;
      if (contentType === 0) response.writeHead(status, ["content-length", `${length}`]);
      else response.writeHead(status, ["content-type", CONTENT_TYPES[contentType], "content-length", `${length}`]);
      response.end(body);
      if (response.writableLength > 0) this.#watch();
      return;
    }
    const flat = responseHeaders(response.req, contentType, headers);
    const stated = takeHeader(flat, "content-length");
    if (body !== null)
      flat.push("content-length", `${typeof body === "string" ? Buffer.byteLength(body) : body.byteLength}`);
    else if (stated !== undefined && (status === 304 || response.req.method === "HEAD"))
      flat.push("content-length", stated);
    else if (status !== 204 && status !== 304 && response.req.method !== "HEAD") flat.push("content-length", "0");
    response.writeHead(status, flat);
    if (body === null) response.end();
    else response.end(bodyBehind(headers, body));
    if (response.writableLength > 0) this.#watch();
  }

  begin(status: number, contentType: ContentType, headers: string | null): void {
    if (this.#response.destroyed || this.#response.headersSent) return;
    if (this.#phase.draining) this.#response.shouldKeepAlive = false;
    const flat = responseHeaders(this.#response.req, contentType, headers);
    const stated = takeHeader(flat, "content-length");
    if (stated !== undefined) {
      this.#promised = Number(stated);
      flat.push("content-length", stated);
    }
    this.#response.writeHead(status, flat);
    this.#response.flushHeaders();
    const phase = this.#phase;
    phase.streams++;
    this.#response.once("close", () => void phase.streams--);
  }

  write(chunk: string | Uint8Array, onDrain: () => void): boolean {
    if (this.#response.destroyed) return true;
    // More than Node's own high-water mark, so that the next pieces come while these leave.
    if (this.#send(chunk) || this.#response.writableLength < this.#mostBuffered) return true;
    if (this.#drain === undefined) {
      this.#response.on("drain", () => {
        cutWhenStalled(this.#response, 0);
        this.#drain?.();
      });
    }
    this.#drain = onDrain;
    this.#watch();
    return false;
  }

  #send(chunk: string | Uint8Array): boolean {
    if (Number.isNaN(this.#promised)) return this.#response.write(chunk);
    this.#promised -= Buffer.byteLength(chunk);
    if (this.#promised !== 0) return this.#response.write(chunk);
    return this.#response.write(chunk, (error) => {
      this.complete = error === null || error === undefined;
    });
  }

  end(): void {
    this.#response.end();
  }

  get #mostBuffered(): number {
    const share = ALL_BUFFERED_BYTES / this.#phase.streams;
    return Math.max(LEAST_BUFFERED_BYTES, Math.min(MOST_BUFFERED_BYTES, share));
  }

  destroy(): void {
    if (this.#response.destroyed) return;
    breakOff(this.#response);
    this.#watch();
  }

  /** A client that takes not one byte for so long is cut. */
  #watch(): void {
    cutWhenStalled(this.#response, this.#phase.stallTimeoutMs);
  }
}
