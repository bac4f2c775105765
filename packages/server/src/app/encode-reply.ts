/** From what a handler returned to what crosses to main: a status, a content type, header lines, and bytes or a source of them. */
import { Readable } from "node:stream";
import { InvalidReplyError } from "../errors.ts";
import { described } from "./described.ts";
import { encodeFile, type FileRequest } from "./encode-file.ts";
import { flatHeaderLines, headerLines, namesIn, withoutDecoding } from "./encode-headers.ts";
import { type FileBody, isFile } from "./file.ts";
import { isHtml, isReply } from "./reply.ts";
import type { RouteSchemas } from "./schema.ts";
import { validateResponse } from "./validation.ts";

/** The content types that have a number of their own on the wire; `0` is none, or one among the headers. */
export const CONTENT_TYPES = [
  "",
  "application/json; charset=utf-8",
  "text/plain; charset=utf-8",
  "text/html; charset=utf-8",
  "application/octet-stream",
  "application/problem+json; charset=utf-8",
] as const;
/** A place in CONTENT_TYPES. */
export type ContentType = 0 | 1 | 2 | 3 | 4 | 5;
const NO_TYPE: ContentType = 0;
const JSON_TYPE: ContentType = 1;
export const TEXT_TYPE: ContentType = 2;
const HTML_TYPE: ContentType = 3;
export const BYTES_TYPE: ContentType = 4;
export const PROBLEM_TYPE: ContentType = 5;

/** Gives the pieces of a streamed body, one at a time. */
interface ChunkSource {
  next(): IteratorResult<unknown, unknown> | Promise<IteratorResult<unknown, unknown>>;
  /** Runs the generator's `finally`, cancels the stream. */
  return(): unknown;
}

/** An answer ready for the wire. */
export interface EncodedReply {
  readonly status: number;
  readonly contentType: ContentType;
  /** `name\nvalue\nname\nvalue`, or null. No name or value can hold a line break. */
  readonly headers: string | null;
  readonly body: string | Uint8Array | null;
  readonly stream: ChunkSource | null;
}

/**
 * Encodes what a handler returned; a promise only for a web `Response`, whose body has to be looked into, and for a file.
 * @throws {InvalidReplyError} for what cannot be sent.
 */
export function encodeReply(
  value: unknown,
  request: FileRequest,
  response?: RouteSchemas["response"],
): EncodedReply | Promise<EncodedReply> {
  if (typeof value === "object" && value !== null) {
    if (isReply(value)) {
      checkStatus(value.status);
      const headers = headerLines(value.headers, value.cookies);
      if (isFileBody(value.body)) return fileReply(value.body, value.status, headers, request);
      return encodeBody(value.body, value.status, headers, response);
    }
    if (isResponse(value)) return encodeResponse(value);
    if (isFile(value)) return fileReply(value, 200, null, request);
  }
  if (value === null || value === undefined)
    return { status: 204, contentType: 0, headers: null, body: null, stream: null };
  return encodeBody(value, 200, null, response);
}

const BODYLESS = (status: number): boolean => status === 204 || status === 205 || status === 304;

function encodeBody(
  value: unknown,
  status: number,
  headers: string | null,
  response: RouteSchemas["response"],
): EncodedReply | Promise<EncodedReply> {
  const typed = headers?.includes("content-type\n") === true && namesIn(headers).includes("content-type");
  const as = (type: ContentType): ContentType => (typed ? NO_TYPE : type);
  if (value === null || value === undefined) return { status, contentType: 0, headers, body: null, stream: null };
  if (BODYLESS(status))
    throw new InvalidReplyError(`A reply with status ${status} has no body; got ${describe(value)}.`);
  if (typeof value === "string") {
    const text = validateResponse(response, status, value);
    return { status, contentType: as(TEXT_TYPE), headers, body: String(text), stream: null };
  }
  if (typeof value === "object") {
    // JSON would make `{}` of both, which is never what was meant.
    if (value instanceof Error) throw value;
    if (value instanceof Blob)
      throw new InvalidReplyError("A Blob cannot be sent as it is: return blob.stream() or new Response(blob).");
    if (isHtml(value)) return { status, contentType: as(HTML_TYPE), headers, body: value.html, stream: null };
    if (value instanceof Uint8Array) return { status, contentType: as(BYTES_TYPE), headers, body: value, stream: null };
    if (value instanceof ArrayBuffer) {
      return { status, contentType: as(BYTES_TYPE), headers, body: new Uint8Array(value), stream: null };
    }
    if (ArrayBuffer.isView(value)) {
      const body = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
      return { status, contentType: as(BYTES_TYPE), headers, body, stream: null };
    }
    if (isReply(value)) throw new InvalidReplyError("The body of a reply() is itself a reply().");
    if (isResponse(value))
      throw new InvalidReplyError("The body of a reply() is a Response; return the Response itself.");
    const stream = sourceOf(value);
    // Where the first piece is text, it is text/plain after all; see stream-pump.ts.
    if (stream !== null) return { status, contentType: as(BYTES_TYPE), headers, body: null, stream };
  }
  return {
    status,
    contentType: as(JSON_TYPE),
    headers,
    body: toJson(validateResponse(response, status, value)),
    stream: null,
  };
}

function isFileBody(body: unknown): body is FileBody {
  return typeof body === "object" && body !== null && isFile(body);
}

/** The handler's own headers win over the file's. */
async function fileReply(
  body: FileBody,
  status: number,
  given: string | null,
  request: FileRequest,
): Promise<EncodedReply> {
  if (BODYLESS(status)) throw new InvalidReplyError(`A reply with status ${status} has no body; got a file.`);
  const { status: told, headers, content } = await encodeFile(body, status, request);
  const names = new Set((given ?? "").split("\n").filter((_, index) => index % 2 === 0));
  const own: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    if (!names.has(headers[i] as string)) own.push(headers[i] as string, headers[i + 1] as string);
  }
  const lines = [flatHeaderLines(own), given].filter((part) => part !== null).join("\n");
  const stream = content === null ? null : sourceOf(content);
  return { status: told, contentType: NO_TYPE, headers: lines === "" ? null : lines, body: null, stream };
}

function toJson(value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    throw new InvalidReplyError(`The reply cannot be written as JSON: ${(error as Error).message}`, { cause: error });
  }
  if (text === undefined) throw new InvalidReplyError(`The reply cannot be written as JSON: it is ${describe(value)}.`);
  return text;
}

/** A source over anything that can be streamed; null for plain data. */
function sourceOf(value: object): ChunkSource | null {
  if (Array.isArray(value)) return null;
  if (value instanceof ReadableStream) return readerSource(value);
  if (value instanceof Readable) return iteratorSource(value[Symbol.asyncIterator](), () => value.destroy());
  const candidate = value as Partial<AsyncIterable<unknown>> & Partial<Iterator<unknown>> & Partial<Iterable<unknown>>;
  const asyncIterator = candidate[Symbol.asyncIterator];
  if (typeof asyncIterator === "function") return iteratorSource(asyncIterator.call(value) as AsyncIterator<unknown>);
  if (typeof candidate[Symbol.iterator] === "function" && typeof candidate.next === "function") {
    return iteratorSource(candidate as Iterator<unknown>);
  }
  return null;
}

function iteratorSource(iterator: Iterator<unknown> | AsyncIterator<unknown>, onReturn?: () => void): ChunkSource {
  return {
    next: () => iterator.next(),
    return: () => {
      onReturn?.();
      return iterator.return?.();
    },
  };
}

/** A source over a web stream. */
function readerSource(stream: ReadableStream): ChunkSource {
  const reader = stream.getReader();
  return { next: () => reader.read() as Promise<IteratorResult<unknown, unknown>>, return: () => reader.cancel() };
}

type NodeResponse = Response & {
  _toNodeResponse?: () => { status: number; headers: string[]; body: unknown };
};

/** Is it a web `Response`, of this realm or another library's own? */
export function isResponse(value: unknown): value is NodeResponse {
  if (typeof value !== "object" || value === null) return false;
  if (value instanceof Response) return true;
  const candidate = value as Partial<Response>;
  return typeof candidate.arrayBuffer === "function" && typeof candidate.status === "number" && "headers" in candidate;
}

async function encodeResponse(response: NodeResponse): Promise<EncodedReply> {
  const { status } = response;
  if (status === 101 || response.type === "error")
    throw new InvalidReplyError(`A Response of status ${status} cannot be sent.`);
  checkStatus(status);
  // srvx's FastResponse knows its body without a stream around it.
  const fast = typeof response._toNodeResponse === "function" ? response._toNodeResponse() : undefined;
  const body: unknown = fast === undefined ? response.body : fast.body;
  let headers = fast === undefined ? headerLines(response.headers) : flatHeaderLines(fast.headers);
  // Only what fetch() gave has a url. Its body is decoded already, while its headers tell of how it came.
  if (fast === undefined && headers !== null && body !== null && response.url) headers = withoutDecoding(headers);
  if (body === null || body === undefined || BODYLESS(status)) {
    if (body instanceof ReadableStream) void body.cancel().catch(() => undefined);
    return { status, contentType: 0, headers, body: null, stream: null };
  }
  if (typeof body === "string" || body instanceof Uint8Array)
    return { status, contentType: 0, headers, body, stream: null };
  if (ArrayBuffer.isView(body)) {
    return {
      status,
      contentType: 0,
      headers,
      body: new Uint8Array(body.buffer, body.byteOffset, body.byteLength),
      stream: null,
    };
  }
  const stream = body instanceof ReadableStream ? readerSource(body) : sourceOf(body as object);
  if (stream === null) throw new InvalidReplyError(`The body of a Response is ${describe(body)}.`);
  return await shortcut({ status, contentType: 0, headers, body: null, stream });
}

/** A stream that turns out to be one piece and its end, ready at once, is sent whole. */
async function shortcut(reply: EncodedReply): Promise<EncodedReply> {
  const { stream } = reply;
  if (stream === null) return reply;
  const first = await stream.next();
  if (first.done === true) return { ...reply, body: null, stream: null };
  const second = Promise.resolve(stream.next());
  const soon = await Promise.race([second.catch(() => undefined), new Promise((turn) => setImmediate(turn, null))]);
  if (
    soon !== null &&
    soon !== undefined &&
    (soon as IteratorResult<unknown>).done === true &&
    first.value instanceof Uint8Array
  ) {
    return { ...reply, body: first.value, stream: null };
  }
  const given: (IteratorResult<unknown, unknown> | Promise<IteratorResult<unknown, unknown>>)[] = [second, first];
  return { ...reply, stream: { next: () => given.pop() ?? stream.next(), return: () => stream.return() } };
}

/** @throws {InvalidReplyError} unless the status is one a handler may answer with. */
function checkStatus(status: unknown): void {
  if (typeof status !== "number" || !Number.isInteger(status) || status < 200 || status > 599) {
    throw new InvalidReplyError(`A status is an integer from 200 to 599; got ${described(status)}.`);
  }
}

function describe(value: unknown): string {
  if (value === null) return "null";
  if (typeof value === "object") return value.constructor?.name ?? "an object";
  return `a ${typeof value}`;
}
