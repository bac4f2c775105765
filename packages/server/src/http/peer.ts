/** Who is at the other end of a connection. */
import type { Server, Socket } from "node:net";

/** Whoever comes through a unix socket is on this machine, and has no address. */
const LOCAL = "127.0.0.1";

/**
 * The address of the other end. Undefined where it cannot be told: a client that has cut the connection already has none,
 * and must not be taken for a local one.
 */
export function peerAddress(socket: Socket): string | undefined {
  const { remoteAddress } = socket;
  if (remoteAddress !== undefined) return remoteAddress;
  const { server } = socket as { server?: Server };
  return typeof server?.address() === "string" ? LOCAL : undefined;
}
