/** WebSocket routes: callbacks that run on one request thread for the life of a socket. */
import { AppDefinitionError } from "../errors.ts";
import type { Context } from "./context.ts";
import { described } from "./described.ts";
import { parsePath } from "./path.ts";
import type { WebSocketRoute } from "./route.ts";

/** A socket as its route's callbacks see it. */
export interface DuckWebSocket {
  /** Unique in the process. */
  readonly id: string;
  /** A place for what belongs to this connection. */
  data: unknown;
  readonly readyState: "open" | "closing" | "closed";
  /** Bytes that were sent and that the client's connection has not taken yet. */
  readonly bufferedBytes: number;
  /**
   * Sends a text or binary message; `false` when more is buffered than `maxBufferedBytes` and you should wait for
   * `drained()`.
   * @throws {TypeError} for what is neither: objects have to be made JSON first.
   */
  send(data: string | ArrayBufferView | ArrayBuffer): boolean;
  /** Resolves when what was sent has left, at once if it has. */
  drained(): Promise<void>;
  /** Closes with a code (1000, or 3000 to 4999) and a reason of at most 123 bytes. */
  close(code?: number, reason?: string): void;
}

/** The callbacks of a WebSocket route; each may be async. One that throws closes the socket with 1011. */
export interface WebSocketHandlers<P extends string = string> {
  open?(socket: DuckWebSocket, ctx: Context<P, Record<never, never>>): void | Promise<void>;
  message?(
    socket: DuckWebSocket,
    data: string | Uint8Array,
    ctx: Context<P, Record<never, never>>,
  ): void | Promise<void>;
  close?(
    socket: DuckWebSocket,
    code: number,
    reason: string,
    ctx: Context<P, Record<never, never>>,
  ): void | Promise<void>;
}

/** Settings of a WebSocket route. */
export interface WebSocketOptions {
  /** The largest message in bytes; a larger one closes the socket with 1009. Default 1 MiB. */
  readonly maxMessageBytes?: number | undefined;
  /** A ping every so many milliseconds; a peer that did not answer the last one is cut. Default 30000, 0 for none. */
  readonly pingIntervalMs?: number | undefined;
  /** Above so many unsent bytes `send()` says `false`. Default 1 MiB. */
  readonly maxBufferedBytes?: number | undefined;
}

/**
 * A WebSocket route.
 *
 * @example
 * ```ts check
 * import { defineApp, ws } from "@duck-ts/server";
 *
 * export default defineApp({ routes: [ws("/echo", { message: (socket, data) => void socket.send(data) })] });
 * ```
 * @throws {AppDefinitionError} when the path, a callback or an option is not what it has to be.
 */
export function ws<const P extends string>(
  path: P,
  handlers: WebSocketHandlers<P>,
  options: WebSocketOptions = {},
): WebSocketRoute {
  checkNames(`ws ${path}: unknown callback`, handlers, CALLBACKS);
  checkNames(`ws ${path}: unknown option`, options, Object.keys(LEAST));
  for (const name of CALLBACKS) {
    const given: unknown = handlers[name];
    if (given !== undefined && typeof given !== "function") {
      throw new AppDefinitionError(`ws ${path}: ${name} must be a function, got ${described(given)}.`);
    }
  }
  for (const [name, least] of Object.entries(LEAST)) {
    const given = options[name as keyof WebSocketOptions];
    if (given !== undefined && !(Number.isInteger(given) && given >= least)) {
      throw new AppDefinitionError(
        `ws ${path}: ${name} must be a whole number, ${least} or more, got ${described(given)}.`,
      );
    }
  }
  const segments = parsePath(path);
  return { kind: "websocket", method: "GET", path, segments, options, handlers: handlers as WebSocketHandlers };
}

const CALLBACKS = ["open", "message", "close"] as const;
const LEAST: Readonly<Record<keyof WebSocketOptions, number>> = {
  maxMessageBytes: 1,
  pingIntervalMs: 0,
  maxBufferedBytes: 0,
};

/** A misspelt one would never be called, or heeded. */
function checkNames(what: string, given: object, known: readonly string[]): void {
  for (const name of Object.keys(given)) {
    if (!known.includes(name)) throw new AppDefinitionError(`${what} "${name}", expected one of ${known.join(", ")}.`);
  }
}
