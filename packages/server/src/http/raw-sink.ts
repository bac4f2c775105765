/** Writes an answer straight to Node's response: the quick way, where no Fastify plugin wants to see it. */
import type { ServerResponse } from "node:http";
import { CONTENT_TYPES, type ContentType } from "../app/encode-reply.ts";
import type { ReplySink } from "../engine/in-flight.ts";
import type { ServerPhase } from "./server-phase.ts";
import { responseHeaders, takeHeader } from "./header-lines.ts";

export class RawSink implements ReplySink {
  readonly #response: ServerResponse;
  readonly #phase: ServerPhase;
  #drain: (() => void) | undefined;

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
      return;
    }
    const flat = responseHeaders(contentType, headers);
    const stated = takeHeader(flat, "content-length");
    if (body !== null) flat.push("content-length", `${typeof body === "string" ? Buffer.byteLength(body) : body.byteLength}`);
    else if (stated !== undefined && (status === 304 || response.req.method === "HEAD")) flat.push("content-length", stated);
    else if (status !== 204 && status !== 304 && response.req.method !== "HEAD") flat.push("content-length", "0");
    response.writeHead(status, flat);
    if (body === null) response.end();
    else response.end(body);
  }

  begin(status: number, contentType: ContentType, headers: string | null): void {
    if (this.#response.destroyed || this.#response.headersSent) return;
    if (this.#phase.draining) this.#response.shouldKeepAlive = false;
    this.#response.writeHead(status, responseHeaders(contentType, headers));
    this.#response.flushHeaders();
  }

  write(chunk: string | Uint8Array, onDrain: () => void): boolean {
    if (this.#response.destroyed) return true;
    if (this.#response.write(chunk)) return true;
    if (this.#drain === undefined) {
      this.#response.on("drain", () => this.#drain?.());
    }
    this.#drain = onDrain;
    return false;
  }

  end(): void {
    this.#response.end();
  }

  destroy(): void {
    this.#response.destroy();
  }
}
