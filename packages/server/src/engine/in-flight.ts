/** A request as main holds it, from the moment it is complete enough to be placed until its worker is done with it. */
import type { Readable } from "node:stream";
import type { ContentType } from "../app/encode-reply.ts";
import { pathOf } from "../app/path.ts";
import type { BodyFeed } from "./body-feed.ts";
import type { STREAMED_BODY } from "./envelope.ts";
import type { RouteCost } from "./route-cost.ts";
import type { RouteInfo } from "./route-info.ts";
import type { RouteCounts } from "./stats.ts";
import type { WorkerLink } from "./worker-link.ts";

/** Where an answer goes. Main's HTTP side implements it twice: over the raw response, and through Fastify's hooks. */
export interface ReplySink {
  /** A whole answer. */
  whole(status: number, contentType: ContentType, headers: string | null, body: string | Uint8Array | null): void;
  /** The head of a streamed answer. */
  begin(status: number, contentType: ContentType, headers: string | null): void;
  /** A piece of it; false when the client's connection has enough for now, and `onDrain` comes later. */
  write(chunk: string | Uint8Array, onDrain: () => void): boolean;
  end(): void;
  /** As much as its content-length states has left: the client has it all, and need not wait for the end of it. */
  readonly complete?: boolean;
  /** Cuts the connection: the answer broke off, and must not look complete. */
  destroy(): void;
}

/** A WebSocket on main's side. */
export interface SocketSink {
  /** A worker has taken it: shake hands. */
  open(): void;
  /** The worker has handled so many bytes of what it was sent. */
  taken(bytes: number): void;
  send(data: string | Uint8Array): void;
  close(code: number, reason: string): void;
}

/** A route, and what main counts and learns of it. */
export interface MainRoute {
  readonly index: number;
  readonly info: RouteInfo;
  readonly cost: RouteCost;
  readonly counts: RouteCounts;
  readonly timeoutMs: number;
  readonly bodyLimitBytes: number;
  /** Of a streamed body; infinite unless the route says otherwise. */
  readonly streamLimitBytes: number;
  /** Waiting for a worker now. */
  queued: number;
  /** With workers now. */
  running: number;
  /** Let in under `maxConcurrent`, where the route has one. */
  admitted: number;
  /** Held back by `maxConcurrent`. */
  readonly waiting: InFlight[];
}

/** What became of a request, for the access line and the metrics. */
export type Outcome =
  | "answered"
  | "timeout"
  | "queue-timeout"
  | "queue-full"
  | "worker-died"
  | "bystander"
  | "client-gone"
  | "broken-off"
  | "draining";

/** The stages of a request on main. */
export type Stage =
  | "queued"
  | "sent"
  /** The head of a streamed answer has gone out, or a socket is open. */
  | "streaming"
  /** The client has its answer, or is gone; the worker may still be at it. */
  | "settled";

export class InFlight {
  readonly route: MainRoute;
  readonly method: string;
  readonly url: string;
  readonly headers: string;
  readonly ip: string;
  readonly id: string | number;
  readonly body: Uint8Array | typeof STREAMED_BODY | null;
  readonly bodyStream: Readable | null;
  readonly sink: ReplySink;
  readonly socket: SocketSink | null;
  /** performance.now() of its arrival. */
  readonly arrivedAt: number;

  stage: Stage = "queued";
  worker: WorkerLink | null = null;
  slot = -1;
  sentAt = 0;
  /** When the client gets its 504, in performance.now() time. */
  deadline: number = Number.POSITIVE_INFINITY;
  /** When a thread that did not heed the abort is given up. */
  graceUntil: number = Number.POSITIVE_INFINITY;
  /** Counts under its route's `maxConcurrent`. */
  admitted = false;
  /** Nobody waits for it any more, as it has had its time; the handler goes on. */
  abandoned = false;
  /** How often it was begun and lost. */
  attempts = 0;
  /** What it counts for in its worker's load. */
  chargedUs = 0;
  charge: "expected" | "exclusive" | "awaiting" = "expected";
  /** Its cost has been learnt already, from the notice that it awaits. */
  learnt = false;
  /** Pieces of the answer that have come. */
  pieces = 0;
  /** Of them, taken and not yet credited. */
  owed = 0;
  stalled = false;
  /** Pieces of the answer that are on main and wait for their turn to be written. */
  piecesWaiting = 0;
  /** Of a streamed answer. */
  status = 0;
  /** Sends the body on while it comes in. */
  feed: BodyFeed | null = null;
  /** The thread it ran on last, for the access line. */
  threadName = "";

  constructor(
    route: MainRoute,
    method: string,
    url: string,
    headers: string,
    ip: string,
    id: string | number,
    body: Uint8Array | typeof STREAMED_BODY | null,
    bodyStream: Readable | null,
    sink: ReplySink,
    arrivedAt: number,
    socket: SocketSink | null = null,
  ) {
    this.route = route;
    this.method = method;
    this.url = url;
    this.headers = headers;
    this.ip = ip;
    this.id = id;
    this.body = body;
    this.bodyStream = bodyStream;
    this.sink = sink;
    this.arrivedAt = arrivedAt;
    this.socket = socket;
  }

  /** What it asked for, in words: by its route, and where the app routes by itself, by its path. */
  get what(): string {
    const { kind, path } = this.route.info;
    return `${this.method} ${kind === "fetch" ? pathOf(this.url) : path}`;
  }

  /** May it be run a second time after it was begun? RFC 9110 9.2.1: GET and HEAD are safe. */
  get repeatable(): boolean {
    return (
      this.attempts === 0 &&
      this.socket === null &&
      this.bodyStream === null &&
      (this.method === "GET" || this.method === "HEAD")
    );
  }
}
