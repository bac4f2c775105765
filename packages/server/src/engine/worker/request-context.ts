/** The context that a handler is given; each part is worked out when it is first read. */

import { bodyKindOf, parseBody } from "../../app/body.ts";
import type { Context } from "../../app/context.ts";
import { extractParams } from "../../app/path.ts";
import { parseCookies, parseQuery } from "../../app/query.ts";
import type { RouteOptions } from "../../app/route.ts";
import type { ValidatedParts } from "../../app/validation.ts";
import { HttpError } from "../../errors.ts";
import type { WorkerLogger } from "../../logs/worker-logger.ts";
import { type RequestEnvelope, STREAMED_BODY } from "../envelope.ts";
import type { AbortReason } from "../wire.ts";
import type { BodySource } from "./body-source.ts";
import { incomingRequest } from "./incoming-request.ts";
import type { RunnableRoute } from "./load-app.ts";

/** What contexts of one worker share. */
export interface ContextHome {
  readonly idPrefix: string;
  readonly log: WorkerLogger;
  /** The largest body that is collected, where its route says nothing else. */
  readonly bodyLimitBytes: number;
}

export class RequestContext implements Context<string, RouteOptions> {
  readonly envelope: RequestEnvelope;
  readonly route: RunnableRoute;
  readonly source: BodySource | undefined;
  /** What the schemas made of the parts they check. */
  validated: ValidatedParts | undefined;
  /** Its thread is to go: no event stream begins any more. */
  leaving = false;
  readonly #home: ContextHome;
  #params: Record<string, string> | undefined;
  #query: Record<string, string | string[]> | undefined;
  #headers: Record<string, string> | undefined;
  #cookies: Record<string, string> | undefined;
  #body: { readonly value: unknown } | undefined;
  #log: WorkerLogger | undefined;
  #controller: AbortController | undefined;
  #aborted: Error | undefined;
  #request: Request | undefined;

  constructor(envelope: RequestEnvelope, route: RunnableRoute, home: ContextHome, source: BodySource | undefined) {
    this.envelope = envelope;
    this.route = route;
    this.#home = home;
    this.source = source;
  }

  get method(): string {
    return this.envelope.method;
  }
  get url(): string {
    return this.envelope.url;
  }
  get id(): string {
    const { id } = this.envelope;
    return typeof id === "string" ? id : this.#home.idPrefix + id.toString(36);
  }
  /** Main puts a "+" in front where the client's connection is encrypted. */
  get ip(): string {
    const { ip } = this.envelope;
    return ip.startsWith("+") ? ip.slice(1) : ip;
  }
  get params(): never {
    return (this.validated?.params ?? this.rawParams()) as never;
  }
  get query(): never {
    return (this.validated?.query ?? this.rawQuery()) as never;
  }
  get headers(): never {
    return (this.validated?.headers ?? this.rawHeaders()) as never;
  }
  get body(): never {
    return (this.validated !== undefined && "body" in this.validated ? this.validated.body : this.rawBody()) as never;
  }
  get cookies(): Readonly<Record<string, string | undefined>> {
    this.#cookies ??= parseCookies(this.rawHeaders()["cookie"]);
    return this.#cookies;
  }
  get log(): WorkerLogger {
    this.#log ??= this.#home.log.child({ requestId: this.id });
    return this.#log;
  }
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#aborted !== undefined) this.#controller.abort(this.#aborted);
    }
    return this.#controller.signal;
  }
  get request(): Request {
    this.#request ??= this.#makeRequest();
    return this.#request;
  }

  rawParams(): Record<string, string> {
    this.#params ??= extractParams(this.route.segments, this.envelope.url);
    return this.#params;
  }
  rawQuery(): Record<string, string | string[]> {
    this.#query ??= parseQuery(this.envelope.url);
    return this.#query;
  }
  rawHeaders(): Record<string, string> {
    this.#headers ??= parseHeaders(this.envelope.headers);
    return this.#headers;
  }
  /** @throws {HttpError} 400 when it is malformed, 415 when it is compressed, or in a charset that this cannot read. */
  rawBody(): unknown {
    if (this.#body === undefined) {
      const { body } = this.envelope;
      if (body === STREAMED_BODY) {
        throw new Error(
          `${this.route.info.method} ${this.route.info.path}: ctx.body was read, but this body is coming in as a stream, because the handler uses ctx.request. Give the route { streamBody: false } to have bodies collected first.`,
        );
      }
      const { "content-type": type, "content-encoding": coding } = this.rawHeaders();
      this.#body = { value: parseBody(body ?? undefined, type, coding) };
    }
    return this.#body.value;
  }
  /** Is the body a form's fields, where a list of one cannot be told from a single value? */
  get hasForm(): boolean {
    return bodyKindOf(this.rawHeaders()["content-type"]) === "form";
  }
  /** @throws {HttpError} 415 when the route has a schema for its body and this one is of a type that no schema reads. */
  checkMediaType(): void {
    const { body } = this.envelope;
    if (this.route.options.body === undefined || body === null) return;
    const type = this.rawHeaders()["content-type"];
    // Nothing, sent with a length of 0, is of no type.
    if (bodyKindOf(type) !== "bytes" || (type === undefined && (body as Uint8Array).byteLength === 0)) return;
    throw new HttpError(415, `The body has the type ${type ?? "(none)"}; expected JSON, form fields or text.`);
  }

  abort(reason: AbortReason): void {
    if (this.#aborted !== undefined) return;
    const [message, name] =
      reason === "timeout" ? ["The request passed its timeoutMs", "TimeoutError"] : [ABORTED[reason], "AbortError"];
    this.#aborted = new DOMException(message, name) as Error;
    this.#controller?.abort(this.#aborted);
    this.source?.end(message);
  }
  get aborted(): boolean {
    return this.#aborted !== undefined;
  }
  /** Is it only the news that the client has gone, or the time is over, passed on? Then the access line says it all. */
  isNews(error: unknown): boolean {
    const own = [this.#aborted, this.source?.error];
    for (let at = error, deep = 0; at instanceof Error && deep < 5; at = at.cause, deep++)
      if (own.includes(at)) return true;
    return false;
  }

  #makeRequest(): Request {
    const { method, url, ip, body } = this.envelope;
    const secure = ip.startsWith("+");
    const host = this.rawHeaders()["host"] ?? "localhost";
    const flat = this.envelope.headers.split("\n");
    const headers: [string, string][] = [];
    for (let i = 0; i + 1 < flat.length; i += 2) headers.push([flat[i] ?? "", flat[i + 1] ?? ""]);
    const init: RequestInit & { duplex?: "half" } = { method, headers };
    if (method !== "GET" && method !== "HEAD") {
      if (this.source !== undefined) {
        init.body = this.source.stream;
        init.duplex = "half";
      } else if (body instanceof Uint8Array) init.body = body as Uint8Array<ArrayBuffer>;
    }
    if (NO_REQUEST.has(method)) throw new HttpError(405, `A web Request cannot have the method ${method}.`);
    const href = `${secure ? "https" : "http"}://${host}${url}`;
    const request = newRequest(href, init);
    // Not given to the constructor: following a signal costs it 40 microseconds, and few handlers ask for it.
    Object.defineProperty(request, "signal", { get: () => this.signal });
    if (this.source !== undefined && this.route.info.kind === "http") {
      boundWhole(request, this.source, this.route.info.bodyLimitBytes ?? this.#home.bodyLimitBytes);
    }
    return request;
  }
}

/** @throws {HttpError} 400 where the Host header is none that a URL can have: a port of 99999, say. */
function newRequest(href: string, init: RequestInit): Request {
  try {
    return incomingRequest(href, init);
  } catch (error) {
    throw URL.canParse(href)
      ? error
      : new HttpError(400, "The Host header is no host of a URL.", undefined, { cause: error });
  }
}

const WHOLE = ["arrayBuffer", "blob", "bytes", "formData", "json", "text"] as const;

/** What takes a body in whole is held to the limit that bodies have which are collected on main. */
function boundWhole(request: Request, source: BodySource, limitBytes: number): void {
  for (const name of WHOLE) {
    const take = (request as Request & { readonly bytes?: () => Promise<unknown> })[name];
    if (take === undefined) continue;
    const value = (): Promise<unknown> => {
      source.bound(limitBytes);
      return take.call(request);
    };
    Object.defineProperty(request, name, { value });
  }
}

/** The Fetch standard forbids them. */
const NO_REQUEST: ReadonlySet<string> = new Set(["TRACE", "CONNECT", "TRACK"]);

const ABORTED = {
  "client-gone": "The client has gone away",
  shutdown: "The server is shutting down",
  "given-up": "The server is shutting down",
} as const;

/** Lower-case names; repeated ones joined, cookies by "; " as RFC 9113 8.2.3 has it. */
function parseHeaders(joined: string): Record<string, string> {
  const out: Record<string, string> = Object.create(null);
  if (joined === "") return out;
  const flat = joined.split("\n");
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const name = (flat[i] ?? "").toLowerCase();
    const value = flat[i + 1] ?? "";
    const before = out[name];
    out[name] = before === undefined ? value : `${before}${name === "cookie" ? "; " : ", "}${value}`;
  }
  return out;
}
