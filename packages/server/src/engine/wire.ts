/**
 * Every message between main and a request worker, both directions, in this one file. What there is thousands of a
 * second, requests and whole replies, travels many to a message in flat arrays (envelope.ts); the rest is one message each.
 */
import type { ContentType } from "../app/encode-reply.ts";
import type { LogLevel } from "../config/types.ts";
import type { LogWireMessage } from "../logs/wire.ts";
import type { RouteInfo } from "./route-info.ts";

/** Why a request is called off. */
export type AbortReason = "client-gone" | "timeout" | "shutdown" | "given-up";

/** From main to a worker. */
export type ToWorker =
  /** Requests in the order in which to begin them; see envelope.ts. */
  | { readonly type: "requests"; readonly batch: readonly unknown[] }
  /**
   * The request's `ctx.signal` shall abort; a stream's generator shall end. With "shutdown" only event streams, which would
   * not end by themselves; whatever else runs is finished. "given-up" comes later, to what does not get on.
   */
  | { readonly type: "abort"; readonly slot: number; readonly reason: AbortReason }
  /** A piece of a streamed request body. */
  | { readonly type: "body-chunks"; readonly slot: number; readonly chunks: readonly Uint8Array[] }
  /** The body is complete, or (`error`) never will be. */
  | { readonly type: "body-end"; readonly slot: number; readonly error: string | null; readonly late?: true }
  /** So many more pieces of the answer may be sent. */
  | { readonly type: "credit"; readonly slot: number; readonly chunks: number }
  /** Is the loop turning? Answered by `pong`. */
  | { readonly type: "ping" }
  | { readonly type: "socket-message"; readonly slot: number; readonly data: string | Uint8Array }
  | { readonly type: "socket-closed"; readonly slot: number; readonly code: number; readonly reason: string }
  /** What main has buffered for this socket has left down to so many bytes. */
  | { readonly type: "socket-buffered"; readonly slot: number; readonly bytes: number };

/** From a worker to main. */
export type FromWorker =
  /** The first message: the app's routes and the shared slots. */
  | { readonly type: "hello"; readonly routes: readonly RouteInfo[]; readonly slots: SharedArrayBuffer }
  /** Whole answers; see envelope.ts. */
  | { readonly type: "replies"; readonly batch: readonly unknown[] }
  /** Requests that main had taken back: their slots are free again. */
  | { readonly type: "skipped"; readonly slots: readonly number[] }
  /** A streamed answer begins. */
  | {
      readonly type: "stream-head";
      readonly slot: number;
      readonly status: number;
      readonly contentType: ContentType;
      readonly headers: string | null;
      readonly costUs: number;
    }
  | { readonly type: "stream-chunk"; readonly slot: number; readonly chunk: Uint8Array | string }
  /** The stream is complete, or (`failed`) broke off; the slot is free. */
  | { readonly type: "stream-end"; readonly slot: number; readonly failed: boolean }
  /** The handler has taken so many pieces of the request's body. */
  | { readonly type: "body-credit"; readonly slot: number; readonly chunks: number }
  | { readonly type: "pong" }
  /** Now and then: how much the thread holds and how busy its loop is, 0 to 1. */
  | { readonly type: "vitals"; readonly heapBytes: number; readonly externalBytes: number; readonly busy: number }
  /** A log line: posted the moment it is made, so that it survives the thread. */
  | { readonly type: "log"; readonly message: LogWireMessage }
  | { readonly type: "socket-send"; readonly slot: number; readonly data: string | Uint8Array }
  | { readonly type: "socket-close"; readonly slot: number; readonly code: number; readonly reason: string }
  /** A message's callback has ended: so many bytes more may come. */
  | { readonly type: "socket-taken"; readonly slot: number; readonly bytes: number }
  /** The socket's last callback has run; the slot is free. */
  | { readonly type: "socket-done"; readonly slot: number };

/** What a new worker is told, the same for each. */
export interface WorkerData {
  /** URL of the module whose default export is the app. */
  readonly app: string;
  /** URLs of the plugins' worker sides, in order. */
  readonly plugins: readonly string[];
  readonly development: boolean;
  readonly logLevel: LogLevel;
  /** In front of the numbers that main makes request ids of. */
  readonly idPrefix: string;
  /** How long the thread's managers may take to finish what they have, once it has no requests any more. */
  readonly stopTimeoutMs: number;
  readonly defaults: { readonly timeoutMs: number; readonly bodyLimitBytes: number };
}

/** So many pieces of a streamed reply are on their way at most. */
export const STREAM_WINDOW = 16;
/** And so many of an upload: main can fetch none without credit, and 16 were often used up before more of it came. */
export const UPLOAD_WINDOW = 32;
/** The worker gives credit anew for so many, or when it has none left. */
export const UPLOAD_STEP: number = UPLOAD_WINDOW / 4;
/** Main gives credit anew for so many. No window may be smaller. */
export const CREDIT_STEP: number = STREAM_WINDOW / 4;
/** All streams of a thread together: what is on its way to main stands before the answers of others. */
const PIECES_PER_THREAD = 512;

/** The window of one more stream, where a thread has so many. */
export function windowBeside(streams: number): number {
  return Math.max(CREDIT_STEP, Math.min(STREAM_WINDOW, Math.floor(PIECES_PER_THREAD / (streams + 1))));
}
/** Pieces are at most this large. */
export const CHUNK_BYTES: number = 64 * 1024;
/** Bodies above this are streamed to handlers that ask for a stream. */
export const STREAM_BODY_ABOVE_BYTES: number = 64 * 1024;
