/**
 * From a parsed HTTP request to the engine: what has to be known before any thread hears of it. Nothing here runs user
 * code, and nothing is worked out that most requests do not need.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { PROBLEM_TYPE } from "../app/encode-reply.ts";
import { problem } from "../app/problem.ts";
import type { Engine } from "../engine/engine.ts";
import { STREAMED_BODY } from "../engine/envelope.ts";
import { InFlight, type MainRoute, type ReplySink, type SocketSink } from "../engine/in-flight.ts";
import { STREAM_BODY_ABOVE_BYTES } from "../engine/wire.ts";
import { type Collected, collectBody } from "./collect-body.ts";
import { Connection } from "./connection.ts";
import {
  cutWhenSlow,
  endAfterAnswer,
  hasUnstatedBody,
  headerLinesOf,
  isHttp2,
  onStreamClosed,
} from "./http2-request.ts";
import { whyRefused } from "./hygiene.ts";
import { lingerAfter } from "./owed-answers.ts";
import type { ServerPhase } from "./server-phase.ts";
import { expectBody } from "./stalled-clients.ts";

/** Ids that are taken over from `x-request-id`. */
const WELL_FORMED_ID = /^[\w.:@/+=-]{1,128}$/;

export interface RequestGateOptions {
  /** How long a client may take none of its answer, and how long to send its request; 0 for ever. */
  readonly stallTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly engine: Engine;
  /** The client's address behind trusted proxies; undefined where none are trusted. */
  readonly forwarded: ((request: IncomingMessage) => { ip: string; secure: boolean }) | undefined;
}

export class RequestGate implements ServerPhase {
  readonly stallTimeoutMs: number;
  streams = 0;
  readonly #requestTimeoutMs: number;
  readonly #engine: Engine;
  readonly #forwarded: RequestGateOptions["forwarded"];
  readonly #onGone: (request: InFlight) => void;
  #ids = 0;

  constructor(options: RequestGateOptions) {
    this.stallTimeoutMs = options.stallTimeoutMs;
    this.#requestTimeoutMs = options.requestTimeoutMs;
    this.#engine = options.engine;
    this.#forwarded = options.forwarded;
    this.#onGone = (request) => this.#engine.clientGone(request);
  }

  /** No more requests are taken, and every answer ends its connection. */
  get draining(): boolean {
    return this.#engine.draining;
  }

  /** Is it one fetch function that takes every path? */
  get isFetchApp(): boolean {
    return this.#engine.find("GET", "/")?.info.kind === "fetch";
  }

  /** The route of a request, if the app has one. */
  find(method: string, url: string): MainRoute | undefined {
    // The server as a whole is asked: no path, and nobody's route.
    if (url === "*") return undefined;
    const route = this.#engine.find(method, url);
    return route?.info.kind === "websocket" ? undefined : route;
  }

  /** Has the app a WebSocket there? */
  isSocket(url: string): boolean {
    return this.#engine.find("GET", url)?.info.kind === "websocket";
  }

  /** Hands a request to the engine; its answer goes to `sink`. */
  enter(request: IncomingMessage, response: ServerResponse, route: MainRoute, sink: ReplySink): void {
    const arrivedAt = performance.now();
    if (this.#engine.draining) {
      response.shouldKeepAlive = false;
      this.refuse(request, route, sink, arrivedAt, 503, "The server is shutting down.", "retry-after\n1");
      return;
    }
    const refused = whyRefused(request);
    if (refused !== undefined) {
      endAfterAnswer(request, response);
      this.refuse(request, route, sink, arrivedAt, refused[0], refused[1]);
      return;
    }
    const { headers } = request;
    const stated = headers["content-length"];
    const chunked = hasUnstatedBody(request);
    if (!chunked && (stated === undefined || stated === "0")) {
      this.#submit(request, route, sink, arrivedAt, stated === "0" ? EMPTY : null);
      return;
    }
    const length = chunked ? Number.POSITIVE_INFINITY : Number(stated);
    const streams = route.info.streamBody && length > STREAM_BODY_ABOVE_BYTES;
    const limit = streams ? route.streamLimitBytes : route.bodyLimitBytes;
    if (!chunked && length > limit) {
      this.#tooLarge(request, response, route, sink, arrivedAt, limit);
      return;
    }
    // RFC 9110 10.1.1: a client of HTTP/1.0 does not know it.
    if (headers.expect !== undefined && request.httpVersion !== "1.0") response.writeContinue();
    let collecting = !streams;
    cutWhenSlow(request, this.#requestTimeoutMs, () => {
      endAfterAnswer(request, response);
      if (collecting) this.refuse(request, route, sink, arrivedAt, 408, "The body did not come in time.");
      else request.destroy();
      collecting = false;
    });
    if (streams) {
      const inFlight = this.#submit(request, route, sink, arrivedAt, STREAMED_BODY);
      expectBody(request, () => {
        endAfterAnswer(request, response);
        inFlight.feed?.giveUp();
      });
      return;
    }
    expectBody(request, () => {
      if (!collecting) return;
      collecting = false;
      endAfterAnswer(request, response);
      this.refuse(request, route, sink, arrivedAt, 503, "The server is shutting down.", "retry-after\n1");
    });
    collectBody(request, limit, (body: Collected) => {
      if (!collecting) return;
      collecting = false;
      if (body === "too-large") this.#tooLarge(request, response, route, sink, arrivedAt, limit);
      else if (body !== "broken-off") {
        // A reload may have come while the body did: it is a route of the new code that runs it, or none.
        const current = this.find(request.method ?? "GET", request.url ?? "/");
        if (current !== undefined) this.#submit(request, current, sink, arrivedAt, body);
        else this.refuse(request, route, sink, arrivedAt, 404, "No route has this path.");
      }
    });
  }

  #submit(
    request: IncomingMessage,
    route: MainRoute,
    sink: ReplySink,
    arrivedAt: number,
    body: Uint8Array | typeof STREAMED_BODY | null,
  ): InFlight {
    const inFlight = this.make(request, route, sink, arrivedAt, body);
    this.#engine.submit(inFlight);
    return inFlight;
  }

  /** A request as the engine holds it. */
  make(
    request: IncomingMessage,
    route: MainRoute,
    sink: ReplySink,
    arrivedAt: number,
    body: Uint8Array | typeof STREAMED_BODY | null,
    socketSink: SocketSink | null = null,
  ): InFlight {
    const connection = this.#connectionOf(request);
    const inFlight = new InFlight(
      route,
      request.method ?? "GET",
      request.url ?? "/",
      headerLinesOf(request),
      this.ipOf(request),
      this.idOf(request),
      body,
      body === STREAMED_BODY ? request : null,
      sink,
      arrivedAt,
      socketSink,
    );
    if (connection !== undefined) connection.began(inFlight);
    else onStreamClosed(request, () => this.#onGone(inFlight));
    return inFlight;
  }

  /** The client's address, with a `+` in front where its connection is encrypted. */
  ipOf(request: IncomingMessage): string {
    if (this.#forwarded === undefined)
      return this.#connectionOf(request)?.ip ?? `+${request.socket.remoteAddress ?? ""}`;
    const origin = this.#forwarded(request);
    return `${origin.secure ? "+" : ""}${origin.ip}`;
  }

  /** None with HTTP/2, whose streams come and go each for itself. */
  #connectionOf(request: IncomingMessage): Connection | undefined {
    return isHttp2(request) ? undefined : Connection.of(request.socket, this.#onGone);
  }

  /** The client's id where it is well-formed, else a number that makes a new one. */
  idOf(request: IncomingMessage): string | number {
    const given = request.headers["x-request-id"];
    return typeof given === "string" && WELL_FORMED_ID.test(given) ? given : ++this.#ids;
  }

  #tooLarge(
    request: IncomingMessage,
    response: ServerResponse,
    route: MainRoute,
    sink: ReplySink,
    arrivedAt: number,
    limit: number,
  ): void {
    // What is left of it is not read to the end: the connection ends with this answer.
    endAfterAnswer(request, response);
    if (request.httpVersionMajor === 1) lingerAfter(request.socket);
    this.refuse(request, route, sink, arrivedAt, 413, `The body is larger than ${limit} bytes.`);
    request.resume();
  }

  /** Answers a request that no thread shall hear of. `headers`: `name\nvalue`. */
  refuse(
    request: IncomingMessage,
    route: MainRoute,
    sink: ReplySink,
    arrivedAt: number,
    status: number,
    detail: string,
    headers: string | null = null,
  ): void {
    const inFlight = this.make(request, route, sink, arrivedAt, null);
    const requestId = this.#engine.idOf(inFlight);
    sink.whole(status, PROBLEM_TYPE, headers, JSON.stringify(problem(status, detail, { requestId })));
    this.#engine.refused(inFlight, status);
  }
}

const EMPTY = new Uint8Array(0);
