/** From the wire's header lines to what Node writes. */
import type { IncomingMessage } from "node:http";
import { CONTENT_TYPES, type ContentType } from "../app/encode-reply.ts";
import { isHttp2 } from "./http2-request.ts";

/** Names and values in turn, as `writeHead` takes them; without a length, which only main sets. */
export function responseHeaders(request: IncomingMessage, contentType: ContentType, headers: string | null): string[] {
  const flat = headers === null ? [] : headers.split("\n");
  // HTTP/2 has no such header, and Node would warn.
  if (isHttp2(request)) takeHeader(flat, "connection");
  if (contentType !== 0) flat.push("content-type", CONTENT_TYPES[contentType]);
  return flat;
}

/**
 * A body to be written behind these headers. Node writes head and text in one go, in the text's encoding, and would so
 * turn a header's bytes above 127 into two each; behind bytes it does not.
 */
export function bodyBehind<T extends string | Uint8Array>(headers: string | null, body: T): T | Buffer {
  return typeof body === "string" && headers !== null && ABOVE_ASCII.test(headers) ? Buffer.from(body) : body;
}

const ABOVE_ASCII = /[\x80-\xff]/;

/** Takes a header out; its last value. */
export function takeHeader(flat: string[], name: string): string | undefined {
  let value: string | undefined;
  for (let i = 0; i < flat.length; ) {
    if (flat[i] === name) value = flat.splice(i, 2)[1];
    else i += 2;
  }
  return value;
}
