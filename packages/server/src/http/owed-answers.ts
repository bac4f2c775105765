/** How a connection ends with an answer, and which answers it still owes: with pipelining, bytes that cannot be parsed may come while earlier requests run. */
import type { ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { LENIENT_PARSER } from "./hygiene.ts";

const LAST: unique symbol = Symbol("duck.last");
const BEFORE: unique symbol = Symbol("duck.before");

interface KnownSocket extends Duplex {
  [LAST]?: KnownResponse;
}
interface KnownResponse extends ServerResponse {
  [BEFORE]?: KnownResponse | undefined;
}

/** How long what a client still sends is read and thrown away, behind the last answer. */
const LINGER_MS = 2000;

/**
 * The connection ends with the answer that it owes, and the client is still sending: closed at once, as Node does, it
 * would be met with a reset, which may take the answer from it before it was read (RFC 9112 9.6).
 */
export function lingerAfter(socket: Duplex & { destroySoon?: () => void }): void {
  socket.destroySoon = () => {
    socket.end();
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
  };
}

/** A request has come whose answer this will be. */
export function owe(response: ServerResponse): void {
  const socket = response.socket as KnownSocket | null;
  // Where answers have streams of their own, none is in the way of another.
  if (socket === null || response.req.httpVersionMajor !== 1) return;
  if (LENIENT_PARSER && !response.shouldKeepAlive) lingerAfter(socket); // else done when something does follow
  const before = socket[LAST];
  socket[LAST] = response;
  if (before === undefined) return;
  // Whoever is behind it has come whole, so that nothing further back is ever looked at.
  before[BEFORE] = undefined;
  if (!before.writableFinished) (response as KnownResponse)[BEFORE] = before;
}

/** The last answer to a request that has come whole; undefined where the connection owes none. */
export function lastOwed(socket: Duplex): ServerResponse | undefined {
  const last = (socket as KnownSocket)[LAST];
  const owed = last !== undefined && !last.req.complete ? last[BEFORE] : last;
  return owed === undefined || owed.writableFinished || owed.destroyed ? undefined : owed;
}

/** Is nobody's request under way on a connection, as far as whole heads have come? */
export function owesNothing(socket: Duplex): boolean {
  const last = (socket as KnownSocket)[LAST];
  return last === undefined || (last.req.complete && (last.writableFinished || last.destroyed));
}

/** The answer to the last request whose head has come. */
export function lastAnswer(socket: Duplex): ServerResponse | undefined {
  return (socket as KnownSocket)[LAST];
}
