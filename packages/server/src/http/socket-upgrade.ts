/** WebSockets on main: the handshake, pings, limits, and what each side may have on its way. The `ws` library speaks the protocol. */
import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import type { WebSocket, WebSocketServer } from "ws";
import { CONTENT_TYPES, type ContentType, PROBLEM_TYPE } from "../app/encode-reply.ts";
import { problem } from "../app/problem.ts";
import type { Engine } from "../engine/engine.ts";
import type { InFlight, MainRoute, ReplySink, SocketSink } from "../engine/in-flight.ts";
import { answerUpgrade, asksForWebSocket, type Refusal, whyNoHandshake } from "./handshake.ts";
import { takeOriginForm, whyRefused } from "./hygiene.ts";
import { answerWithout } from "./other-upgrades.ts";
import type { RequestGate } from "./request-gate.ts";

const DEFAULT_MESSAGE_BYTES = 1024 * 1024;
const DEFAULT_PING_MS = 30_000;
/** So much may wait for a client that does not read, before it is cut. */
const MOST_BUFFERED_BYTES = 16 * 1024 * 1024;
/** So much of a client's may be with the worker and not handled, before the client is no longer read. */
const MOST_UNHANDLED_BYTES = 1024 * 1024;
const MOST_UNHANDLED_MESSAGES = 256;

/** A peer that does not answer a close is cut after so long. */
const CLOSE_MS = 1000;

const attached = new WeakSet<Server>();

/**
 * Answers upgrade requests, where the app has WebSocket routes; called again after a reload, which may have brought some.
 * Those of others are left to plugins, or refused.
 */
export async function attachSockets(server: Server, engine: Engine, gate: RequestGate): Promise<void> {
  if (!engine.hasSockets || attached.has(server)) return;
  attached.add(server);
  const { WebSocketServer } = await import("ws");
  const byLimit = new Map<number, WebSocketServer>();
  const isOurs = (request: IncomingMessage): boolean =>
    asksForWebSocket(request) || server.listenerCount("upgrade") > 1; // a plugin's, perhaps
  // From Node 22.21 and 24.9 on it asks before it hands a request out.
  Object.assign(server, { shouldUpgradeCallback: isOurs });
  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (!isOurs(request)) return answerWithout(server, request, socket, head);
    takeOriginForm(request);
    const route = engine.find("GET", request.url ?? "/");
    if (route === undefined || route.info.kind !== "websocket") {
      if (server.listenerCount("upgrade") === 1) refuse(request, socket, engine, gate);
      return;
    }
    const refused = whyNot(request, engine);
    if (refused !== undefined) {
      gate.refuse(request, route, new UpgradeAnswer(socket), performance.now(), ...refused);
      return;
    }
    const limit = route.info.maxMessageBytes ?? DEFAULT_MESSAGE_BYTES;
    let sockets = byLimit.get(limit);
    if (sockets === undefined) {
      sockets = new WebSocketServer({
        noServer: true,
        maxPayload: limit,
        clientTracking: false,
        perMessageDeflate: false,
      });
      byLimit.set(limit, sockets);
    }
    new MainSocket(request, socket, head, route, sockets, engine, gate);
  };
  server.on("upgrade", upgrade);
  // A plugin that listens, too (@fastify/websocket), answers whatever it is shown; it is not shown the app's own.
  const emit = server.emit as (name: string, ...given: unknown[]) => boolean;
  server.emit = function (this: Server, name: string, ...given: unknown[]): boolean {
    const [request, socket, head] = given as [IncomingMessage, Duplex, Buffer];
    if (name !== "upgrade" || !gate.isSocket(request.url ?? "/")) return emit.call(this, name, ...given);
    upgrade(request, socket, head);
    return true;
  };
}

/** There is no WebSocket of the app; and as it is no route's request either, its end is told here. */
function refuse(request: IncomingMessage, socket: Duplex, engine: Engine, gate: RequestGate): void {
  const { method = "GET", url = "/" } = request;
  const id = gate.idOf(request);
  const requestId = typeof id === "string" ? id : engine.idOfNumber(id);
  const said = JSON.stringify(problem(404, "No WebSocket has this path.", { requestId }));
  new UpgradeAnswer(socket).whole(404, PROBLEM_TYPE, null, said);
  const from = { ip: gate.ipOf(request), thread: "main", requestId };
  engine.tell({ method, url, route: null, status: 404, durationMs: 0, outcome: "answered", ...from });
}

/** Why it gets no handshake, before any thread hears of it. */
function whyNot(request: IncomingMessage, engine: Engine): Refusal | undefined {
  if (!asksForWebSocket(request)) return [400, "This path takes WebSockets only."];
  const refused = whyRefused(request) ?? whyNoHandshake(request);
  if (refused !== undefined) return refused;
  return engine.draining ? [503, "The server is shutting down.", "retry-after\n1"] : undefined;
}

/** An answer in place of a handshake. */
class UpgradeAnswer implements ReplySink {
  readonly duplex: Duplex;
  constructor(duplex: Duplex) {
    this.duplex = duplex;
    duplex.on("error", () => duplex.destroy());
  }
  whole(status: number, contentType: ContentType, headers: string | null, body: string | Uint8Array | null): void {
    answerUpgrade(this.duplex, status, CONTENT_TYPES[contentType], headers, typeof body === "string" ? body : "");
  }
  begin(): void {}
  write(): boolean {
    return true;
  }
  end(): void {
    this.duplex.destroy();
  }
  destroy(): void {
    this.duplex.destroy();
  }
}

/** A socket; in place of its handshake comes an answer where no thread was free, or the one that had it died. */
class MainSocket extends UpgradeAnswer implements SocketSink {
  readonly #engine: Engine;
  readonly #inFlight: InFlight;
  readonly #upgrade: () => void;
  readonly #pingMs: number;
  #socket: WebSocket | undefined;
  #pinger: NodeJS.Timeout | undefined;
  #alive = true;
  #unhandledBytes = 0;
  #unhandled = 0;

  constructor(
    request: IncomingMessage,
    duplex: Duplex,
    head: Buffer,
    route: MainRoute,
    sockets: WebSocketServer,
    engine: Engine,
    gate: RequestGate,
  ) {
    super(duplex);
    this.#engine = engine;
    this.#pingMs = route.info.pingIntervalMs ?? DEFAULT_PING_MS;
    this.#inFlight = gate.make(request, route, this, performance.now(), null, this);
    duplex.once("close", () => {
      // Without a handshake nobody else says so.
      if (this.#socket === undefined) this.#closed(1006, "");
    });
    this.#upgrade = () => sockets.handleUpgrade(request, duplex, head, (socket) => this.#opened(socket));
    engine.submit(this.#inFlight);
  }

  // The socket as the engine sees it.

  open(): void {
    this.#upgrade();
  }
  send(data: string | Uint8Array): void {
    const socket = this.#socket;
    if (socket === undefined || socket.readyState !== socket.OPEN) return;
    const bytes = typeof data === "string" ? Buffer.byteLength(data) : data.byteLength;
    socket.send(data, () => {
      this.#engine.toSocket(this.#inFlight, { type: "socket-buffered", slot: this.#inFlight.slot, bytes });
    });
    if (socket.bufferedAmount > MOST_BUFFERED_BYTES) socket.terminate();
  }
  close(code: number, reason: string): void {
    const socket = this.#socket;
    if (socket === undefined) {
      this.duplex.destroy();
      return;
    }
    socket.close(code, reason);
    setTimeout(() => socket.terminate(), CLOSE_MS).unref();
  }
  taken(bytes: number): void {
    this.#unhandledBytes -= bytes;
    this.#unhandled--;
    if (this.#socket?.isPaused === true && !this.#full) this.#socket.resume();
  }

  get #full(): boolean {
    return this.#unhandledBytes > MOST_UNHANDLED_BYTES || this.#unhandled > MOST_UNHANDLED_MESSAGES;
  }

  #opened(socket: WebSocket): void {
    this.#socket = socket;
    const { slot } = this.#inFlight;
    socket.on("message", (data: Buffer, isBinary: boolean) => {
      const content = isBinary ? new Uint8Array(data) : data.toString("utf8");
      this.#unhandledBytes += typeof content === "string" ? content.length : content.byteLength;
      this.#unhandled++;
      this.#engine.toSocket(this.#inFlight, { type: "socket-message", slot, data: content });
      if (this.#full) socket.pause();
    });
    socket.on("pong", () => {
      this.#alive = true;
    });
    socket.on("error", () => undefined);
    socket.on("close", (code: number, reason: Buffer) => {
      clearInterval(this.#pinger);
      this.#closed(code, reason.toString("utf8"));
    });
    if (this.#pingMs > 0) this.#pinger = setInterval(() => this.#ping(socket), this.#pingMs);
  }

  #closed(code: number, reason: string): void {
    this.#engine.toSocket(this.#inFlight, { type: "socket-closed", slot: this.#inFlight.slot, code, reason });
  }

  #ping(socket: WebSocket): void {
    if (!this.#alive) {
      socket.terminate();
      return;
    }
    this.#alive = false;
    socket.ping();
  }
}
