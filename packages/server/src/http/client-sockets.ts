/**
 * The clients' sockets, all of them, whoever answers on them: one that takes nothing of what waits for it is cut, and at
 * the end of the server the idle ones are closed so that nothing which was answered is lost with them.
 */
import { Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { errorAnswer } from "./hygiene.ts";
import { lastAnswer, owesNothing } from "./owed-answers.ts";

/** A client that does not close its side, once it has been told that nothing more comes, is cut after so long. */
const PARTING_MS = 250;

export interface ClientSocketsOptions {
  /** So long a client may take not one byte of its answer; 0 for ever. */
  readonly stallTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
}

export class ClientSockets {
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  /** Those for whom something waits; Node's own timer of the socket runs for them. */
  readonly #waiting = new Set<Socket>();
  #stallMs: number;
  #sweeper: NodeJS.Timeout | undefined;

  constructor(server: Server, encrypted: boolean, options: ClientSocketsOptions) {
    this.#server = server;
    // Not the time that Node gives an idle connection: by its length a timer is known for ours.
    const { stallTimeoutMs, keepAliveTimeoutMs } = options;
    this.#stallMs = stallTimeoutMs === keepAliveTimeoutMs ? stallTimeoutMs + 1 : stallTimeoutMs;
    server.on(encrypted ? "secureConnection" : "connection", (socket: Socket) => {
      this.#open.add(socket);
      socket.once("close", () => {
        this.#open.delete(socket);
        this.#waiting.delete(socket);
      });
    });
    if (stallTimeoutMs === 0) return;
    server.on("listening", () => {
      this.#sweeper ??= setInterval(this.#sweep, Math.max(25, Math.min(1000, stallTimeoutMs / 10))).unref();
    });
    server.on("close", () => clearInterval(this.#sweeper));
  }

  /**
   * Closes what is idle now. Not by destroy(): a request that crosses with it would be met with a reset, which may also
   * take the answer before it from the client. Our side is closed, what still comes is read and thrown away, and the
   * client sees an end without a byte of an answer, upon which RFC 9112 9.3.1 has it send the request once more elsewhere.
   * One that has sent half a head, and stopped there, is told: nobody waits for the rest.
   */
  closeIdle(): void {
    const idle = this.#idle();
    const halfway = [...this.#open].filter(
      (socket) => hasParser(socket) && owesNothing(socket) && !idle.includes(socket),
    );
    for (const socket of idle) part(socket);
    for (const socket of halfway) part(socket, errorAnswer(503));
    for (const socket of this.#open) {
      const answer = lastAnswer(socket);
      if (answer === undefined || owesNothing(socket)) continue;
      // Its head may have left before the shutdown, and have told the client that the connection is kept.
      answer.once("finish", () => {
        if (answer.shouldKeepAlive) part(socket);
      });
    }
  }

  /** From now on a client that takes nothing is cut after so long at most. */
  hurry(ms: number): void {
    if (this.#stallMs !== 0 && this.#stallMs <= ms) return;
    for (const socket of this.#waiting) if (socket.timeout === this.#stallMs) socket.setTimeout(ms);
    this.#stallMs = ms;
    clearInterval(this.#sweeper);
    this.#sweeper = setInterval(this.#sweep, Math.max(10, Math.min(1000, ms / 8))).unref();
    this.#server.once("close", () => clearInterval(this.#sweeper));
  }

  /** Those whose last request has not come whole, with the answer that it will get. */
  *uploads(): Generator<readonly [Socket, ServerResponse]> {
    for (const socket of this.#open) {
      const answer = hasParser(socket) ? lastAnswer(socket) : undefined;
      if (answer !== undefined && !answer.req.complete && !answer.destroyed) yield [socket, answer];
    }
  }

  /** Cuts all there are, those too that Node's server has let go of: WebSockets, refused upgrades. */
  closeAll(): void {
    for (const socket of this.#open) socket.destroy();
  }

  /**
   * Which are idle, only Node knows, and it tells by destroying them. It takes none for idle that has not had a request
   * yet: browsers connect in advance, and so do pools of clients.
   */
  #idle(): readonly Socket[] {
    const idle: Socket[] = [...this.#open].filter((socket) => socket.bytesRead === 0);
    for (const socket of this.#open) {
      socket.destroy = () => {
        idle.push(socket);
        return socket;
      };
    }
    try {
      // Of an HTTP/2 server it is not a method.
      Server.prototype.closeIdleConnections.call(this.#server);
    } finally {
      for (const socket of this.#open) Reflect.deleteProperty(socket, "destroy");
    }
    // It also counts those whose answer has been written and has not left yet.
    return idle.filter(owesNothing);
  }

  /** Node's timer of a socket starts anew whenever some of what waits has left; at its end the socket is destroyed. */
  readonly #sweep = (): void => {
    for (const socket of this.#open) {
      if (socket.writableLength > 0) {
        if (this.#waiting.has(socket)) continue;
        this.#waiting.add(socket);
        socket.setTimeout(this.#stallMs);
        socket.once("timeout", () => {
          if (this.#waiting.has(socket)) socket.destroy();
        });
      } else if (this.#waiting.delete(socket) && socket.timeout === this.#stallMs) socket.setTimeout(0);
    }
  };
}

/** Nothing more comes from our side; a client that does not close its own is cut. */
function part(socket: Socket, lastWords?: string | Buffer): void {
  if (lastWords === undefined) socket.end();
  else socket.end(lastWords);
  setTimeout(() => socket.destroy(), PARTING_MS).unref();
}

/** Does Node read HTTP/1.1 from it? Of a WebSocket, or of HTTP/2, it does not. */
function hasParser(socket: Socket): boolean {
  return (socket as { parser?: object | null }).parser != null;
}
