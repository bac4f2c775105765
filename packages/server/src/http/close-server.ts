/**
 * Shutting down in order: no new connections, what runs is finished, then the threads end.
 *
 * From the first moment on every answer says `Connection: close`, those to requests that come on kept connections too:
 * they hear 503. A connection that is idle meanwhile cannot be told anything, HTTP has no word for it; it is given a
 * grace for one more request, and only then closed.
 */
import type { Server } from "node:http";
import { Server as NetServer } from "node:net";
import type { FastifyInstance } from "fastify";
import type { Engine } from "../engine/engine.ts";
import type { ClientSockets } from "./client-sockets.ts";
import type { CloseReport } from "./create-server.ts";
import type { NodeServer } from "./node-server.ts";
import { endStalled } from "./stalled-clients.ts";

/** How long after the start of the shutdown a kept connection may still bring a request. */
const GRACE_MS = 250;
/** The same, after the last answer. */
const LINGER_MS = 100;
/** The part of the shutdown for which a client may do nothing: neither send on nor take what waits for it. */
const STALL_PART = 4;
/** After that part of it nobody waits any longer for answers that have not got on since it began. */
const STUCK_PART = 3 / 4;

export async function closeServer(options: {
  readonly engine: Engine;
  readonly listener: NodeServer;
  readonly sockets: ClientSockets;
  readonly fastify: FastifyInstance;
  readonly timeoutMs: number;
}): Promise<CloseReport> {
  const { engine, listener, sockets, fastify, timeoutMs } = options;
  const { server } = listener;
  const begun = performance.now();
  const until = begun + timeoutMs;
  // Asked first: from here on every answer says Connection: close, and new requests hear 503.
  const drained = engine.drained();
  listener.goAway();
  const closed = stopAccepting(server);
  const stallMs = timeoutMs / STALL_PART;
  sockets.hurry(stallMs);
  const relax = endStalled({ ms: stallMs, uploads: () => sockets.uploads(), streams: () => listener.streams() });
  const giveUp = engine.watchProgress();
  if (!(await before(begun + timeoutMs * STUCK_PART, drained))) giveUp();
  const finished = await before(until, drained);
  await before(Math.max(begun + GRACE_MS, performance.now() + LINGER_MS), closed);
  sockets.closeIdle();
  const quiet = finished && (await before(until, closed));
  relax();
  const terminated = await engine.close(Math.max(0, until - performance.now()));
  listener.closeAll();
  sockets.closeAll();
  await closed;
  await fastify.close();
  return { forced: !quiet || terminated > 0 };
}

/** Resolves when the last connection is gone. */
async function stopAccepting(server: Server): Promise<void> {
  if (!server.listening) return;
  // The kernel has taken connections in that Node has not: closing now would reset them. One whole turn of the loop
  // accepts them, and their requests hear 503 in place of a reset.
  await new Promise<void>((turn) => setImmediate(() => setImmediate(turn)));
  // Not http's own close(): that cuts idle connections at once, and with them requests on their way.
  await new Promise<void>((resolve) => void NetServer.prototype.close.call(server, () => resolve()));
}

/** Whether `promise` came before `until`, in performance.now() time. */
async function before(until: number, promise: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), Math.max(0, until - performance.now()));
  });
  const came = await Promise.race([promise.then(() => true), late]);
  clearTimeout(timer);
  return came;
}
