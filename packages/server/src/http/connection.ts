/** What main remembers of a client's connection: whose answers it still waits for. */
import type { Socket } from "node:net";
import type { InFlight } from "../engine/in-flight.ts";

const CONNECTION: unique symbol = Symbol("duck.connection");

interface KnownSocket extends Socket {
  [CONNECTION]?: Connection;
}

export class Connection {
  /** `+` in front where it is encrypted; see the context's `ip`. */
  readonly ip: string;
  #one: InFlight | undefined;
  /** Only with pipelining. */
  #others: Set<InFlight> | undefined;

  private constructor(socket: Socket, onGone: (request: InFlight) => void) {
    this.ip = `${(socket as { encrypted?: boolean }).encrypted === true ? "+" : ""}${socket.remoteAddress ?? ""}`;
    socket.once("close", () => {
      if (this.#one !== undefined) onGone(this.#one);
      if (this.#others !== undefined) for (const request of this.#others) onGone(request);
      this.#one = undefined;
      this.#others = undefined;
    });
  }

  /** The connection of a socket; `onGone` is told of each request that nobody waits for any more. */
  static of(socket: Socket, onGone: (request: InFlight) => void): Connection {
    const known = socket as KnownSocket;
    known[CONNECTION] ??= new Connection(socket, onGone);
    return known[CONNECTION];
  }

  began(request: InFlight): void {
    if (this.#one === undefined || this.#one.stage === "settled") {
      this.#one = request;
      return;
    }
    this.#others ??= new Set();
    for (const other of this.#others) if (other.stage === "settled") this.#others.delete(other);
    this.#others.add(request);
  }
}
