/** Shutting down in order: no new connections, what runs is finished, then the threads end. */
import { Server as NetServer } from "node:net";
import type { FastifyInstance } from "fastify";
import type { Engine } from "../engine/engine.ts";
import type { CloseReport } from "./create-server.ts";
import type { NodeServer } from "./node-server.ts";

/** How long a kept connection may still bring a request, which then hears 503 and `Connection: close`. */
const LINGER_MS = 100;

export async function closeServer(options: {
  readonly engine: Engine;
  readonly listener: NodeServer;
  readonly fastify: FastifyInstance;
  readonly timeoutMs: number;
}): Promise<CloseReport> {
  const { engine, listener, fastify, timeoutMs } = options;
  const { server } = listener;
  const until = performance.now() + timeoutMs;
  // Asked first: from here on every answer says Connection: close, and new requests hear 503.
  const drained = engine.drained();
  listener.goAway();
  const closed = server.listening
    ? // Not http's own close(): that cuts idle connections at once, and with them requests on their way.
      new Promise<void>((resolve) => void NetServer.prototype.close.call(server, () => resolve()))
    : Promise.resolve();
  const finished = await before(until, drained);
  const linger = new Promise((resolve) => setTimeout(resolve, LINGER_MS));
  await linger;
  listener.closeIdle();
  const quiet = finished && (await before(until, closed));
  const terminated = await engine.close(Math.max(0, until - performance.now()));
  listener.closeAll();
  await closed;
  await fastify.close();
  return { forced: !quiet || terminated > 0 };
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
