/** Node's server under Fastify: HTTP/1.1, over TLS where there is a certificate, and HTTP/2 beside it where that is asked for. */
import {
  createServer as createHttpServer,
  Server as HttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { ServerHttp2Stream } from "node:http2";
import { createServer as createHttpsServer } from "node:https";
import type { Socket } from "node:net";
import type { ResolvedConfig, ResolvedHttps } from "../config/types.ts";
import { watchSessions } from "./http2-sessions.ts";

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

/** A server, and how its connections are ended. */
export interface NodeServer {
  readonly server: Server;
  /** From now on connections end with what they have: HTTP/2 clients are told to open no more streams. */
  goAway(): void;
  /** HTTP/2's, open now. */
  streams(): Iterable<ServerHttp2Stream>;
  /** Ends all connections. */
  closeAll(): void;
}

export function createNodeServer(settings: ResolvedConfig["server"], listener: Listener): NodeServer {
  const { https, http2, headersTimeoutMs, requestTimeoutMs, keepAliveTimeoutMs } = settings;
  const soonest = Math.min(headersTimeoutMs || requestTimeoutMs, requestTimeoutMs || headersTimeoutMs);
  let server: Server | undefined;
  const options = {
    requestTimeout: requestTimeoutMs,
    headersTimeout: headersTimeoutMs === 0 ? 0 : soonest,
    keepAliveTimeout: keepAliveTimeoutMs,
    connectionsCheckingInterval: Math.max(50, Math.min(1000, Math.floor(soonest / 10))),
    requireHostHeader: true,
    noDelay: true,
    // Where Node knows it (24.9 on): an offer of h2c is no reason not to answer in HTTP/1.1.
    shouldUpgradeCallback: (request: IncomingMessage) =>
      (server?.listenerCount("upgrade") ?? 0) > 0 && request.headers.upgrade?.toLowerCase() === "websocket",
  };
  const secure = https === undefined ? {} : { ...tls(https), handshakeTimeout: headersTimeoutMs || 120_000 };
  let goAway = (): void => undefined;
  let streams = (): Iterable<ServerHttp2Stream> => [];
  if (https === undefined) server = createHttpServer(options, listener);
  else if (!http2) server = createHttpsServer({ ...options, ...secure }, listener) as unknown as Server;
  else {
    const sessions = watchSessions({ ...options, ...secure, keepAliveTimeoutMs, headersTimeoutMs }, listener);
    server = sessions.server;
    goAway = () => sessions.goAway();
    streams = () => sessions.streams();
  }
  const made = server;
  made.maxHeadersCount = 0;
  made.on("checkContinue", listener);
  const sockets = new Set<Socket>();
  if (http2) {
    made.on("connection", (socket: Socket) => {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
    });
  }
  return {
    server: made,
    goAway,
    streams: () => streams(),
    closeAll(): void {
      // Node's own knows HTTP/1.1 only.
      for (const socket of sockets) socket.destroy();
      HttpServer.prototype.closeAllConnections.call(made);
    },
  };
}

function tls({ key, cert, ca, passphrase }: ResolvedHttps): Record<string, unknown> {
  const pem = (value: string | Uint8Array): string | Buffer => (typeof value === "string" ? value : Buffer.from(value));
  return {
    key: pem(key),
    cert: pem(cert),
    ...(ca === undefined ? {} : { ca: pem(ca) }),
    ...(passphrase === undefined ? {} : { passphrase }),
  };
}
