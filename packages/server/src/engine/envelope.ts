/** Requests and whole replies as runs of fields in one flat array: a message of 20 requests is one array of primitives. */
import type { ContentType } from "../app/encode-reply.ts";

/** The fields of a request, in their order. */
export const REQUEST_FIELDS = 8;
/** The body is on its way in pieces. */
export const STREAMED_BODY = 1;

/** A request as it crosses. */
export interface RequestEnvelope {
  readonly slot: number;
  readonly route: number;
  /** Main has set a thread aside for it and wants to hear when it awaits, and the thread is free for others. */
  readonly watched: boolean;
  readonly method: string;
  readonly url: string;
  /** `name\nvalue\n...`, as the client wrote them. */
  readonly headers: string;
  readonly ip: string;
  /** The client's own id, or the number that makes a new one. */
  readonly id: string | number;
  readonly body: Uint8Array | typeof STREAMED_BODY | null;
}

/** Appends a request. */
export function pushRequest(
  batch: unknown[],
  slot: number,
  route: number,
  watched: boolean,
  method: string,
  url: string,
  headers: string,
  ip: string,
  id: string | number,
  body: RequestEnvelope["body"],
): void {
  batch.push(slot, watched ? -1 - route : route, method, url, headers, ip, id, body);
}

/** The route of the request whose fields begin at `at`. */
export function routeAt(batch: readonly unknown[], at: number): number {
  const packed = batch[at + 1] as number;
  return packed < 0 ? -1 - packed : packed;
}

/** The request whose fields begin at `at`. */
export function readRequest(batch: readonly unknown[], at: number): RequestEnvelope {
  return {
    slot: batch[at] as number,
    route: routeAt(batch, at),
    watched: (batch[at + 1] as number) < 0,
    method: batch[at + 2] as string,
    url: batch[at + 3] as string,
    headers: batch[at + 4] as string,
    ip: batch[at + 5] as string,
    id: batch[at + 6] as string | number,
    body: ownBody(batch[at + 7] as RequestEnvelope["body"]),
  };
}

/** Large bodies are in memory that main has too (collect-body.ts). Handlers get a copy: most of what takes bytes refuses such. */
function ownBody(body: RequestEnvelope["body"]): RequestEnvelope["body"] {
  return body instanceof Uint8Array && body.buffer instanceof SharedArrayBuffer ? new Uint8Array(body) : body;
}

/** The fields of a reply: slot, status, content type, header lines, body, cost. */
export const REPLY_FIELDS = 6;

/**
 * Appends a whole reply. `costUs` is how long the handler had the thread for itself; of an asynchronous one it is
 * negative, minus one.
 */
export function pushReply(
  batch: unknown[],
  slot: number,
  status: number,
  contentType: ContentType,
  headers: string | null,
  body: string | Uint8Array | null,
  costUs: number,
): void {
  batch.push(slot, status, contentType, headers, body, costUs);
}

/** Cost and asynchrony in one number. */
export function packCost(costUs: number, async: boolean): number {
  const whole = Math.round(costUs);
  return async ? -1 - whole : whole;
}
/** The cost in a packed number. */
export function costOf(packed: number): number {
  return packed < 0 ? -1 - packed : packed;
}
/** The asynchrony in a packed number. */
export function isAsync(packed: number): boolean {
  return packed < 0;
}
