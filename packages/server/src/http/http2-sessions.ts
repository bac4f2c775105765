/** HTTP/2 clients: what Node leaves open of their connections' lives. HTTP/1.1 goes on beside it, as ALPN has it. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createSecureServer, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2";

/** So many requests may a client have open on one connection; RFC 9113 advises 100 at least. */
const MOST_STREAMS = 256;

export interface SessionSettings {
  readonly keepAliveTimeoutMs: number;
  readonly headersTimeoutMs: number;
  readonly requestTimeout: number;
  readonly headersTimeout: number;
  readonly keepAliveTimeout: number;
  readonly connectionsCheckingInterval: number;
}

export interface SessionServer {
  readonly server: Server;
  goAway(): void;
  /** Open now. */
  streams(): Iterable<ServerHttp2Stream>;
}

export function watchSessions(
  settings: SessionSettings,
  listener: (request: IncomingMessage, response: ServerResponse) => void,
): SessionServer {
  const server = createSecureServer({
    ...(settings as object),
    allowHTTP1: true,
    settings: { maxConcurrentStreams: MOST_STREAMS },
  }) as unknown as Server;
  server.on("request", listener);
  // Node 20 and 22 take these as options only from servers that know nothing but HTTP/1.1.
  const { requestTimeout, headersTimeout, keepAliveTimeout, connectionsCheckingInterval } = settings;
  Object.assign(server, { requestTimeout, headersTimeout, keepAliveTimeout, connectionsCheckingInterval });
  Object.assign(server, { requireHostHeader: true });
  const sessions = new Set<ServerHttp2Session>();
  const streams = new Set<ServerHttp2Stream>();
  server.on("stream", (stream: ServerHttp2Stream) => {
    streams.add(stream);
    stream.once("close", () => streams.delete(stream));
  });
  let leaving = false;
  server.on("session", (session: ServerHttp2Session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
    // What a client does to its own connection is its own affair.
    session.on("error", () => undefined);
    endWhenIdle(session, settings);
    if (leaving) session.close();
  });
  return {
    server,
    goAway(): void {
      leaving = true;
      for (const session of sessions) session.close();
    },
    streams: () => streams,
  };
}

/**
 * Ends a connection that has no stream: one that never had any after the time for headers, one that had after the time
 * for idle ones. Not Node's own timeout: that begins anew with each byte, and a client could drip them for ever.
 */
function endWhenIdle(session: ServerHttp2Session, { headersTimeoutMs, keepAliveTimeoutMs }: SessionSettings): void {
  let streams = 0;
  let timer: NodeJS.Timeout | undefined;
  const wait = (ms: number): void => {
    if (ms === 0 || session.closed) return;
    timer = setTimeout(() => {
      session.close();
      // A client that does not hang up at that is hung up on.
      timer = setTimeout(() => session.destroy(), Math.min(ms, 1000));
    }, ms);
  };
  wait(headersTimeoutMs);
  session.on("stream", (stream: ServerHttp2Stream) => {
    streams++;
    clearTimeout(timer);
    stream.once("close", () => {
      if (--streams === 0) wait(keepAliveTimeoutMs);
    });
  });
  session.once("close", () => clearTimeout(timer));
}
