/** Where a server listens: host and port, a unix socket, or the socket that systemd hands over. */
import { lstatSync, unlinkSync } from "node:fs";
import type { Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import type { FastifyInstance } from "fastify";
import type { ResolvedConfig } from "../config/types.ts";
import { ServerStateError } from "../errors.ts";

const UNIX = "unix:";
/** sd_listen_fds(3): what is handed over begins here. */
const FIRST_HANDED_OVER = 3;
const FASTIFY_LISTENS = "Fastify listens";

/**
 * Makes it listen. @returns the URL it can be reached at; `unix:/path` where it is a path.
 * @throws {ServerStateError} where systemd hands over more than one socket.
 */
export async function bind(fastify: FastifyInstance, server: Server, config: ResolvedConfig): Promise<string> {
  const { host, port } = config.server;
  const fd = handedOver(process.env);
  if (fd !== undefined) {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ fd }, resolve);
    });
    return urlOf(config, server.address(), undefined);
  }
  if (!host.startsWith(UNIX)) {
    await listen(fastify, { host, port });
    return urlOf(config, server.address(), host);
  }
  const path = host.slice(UNIX.length);
  await clearLeftOver(path);
  await listen(fastify, { path });
  return host;
}

/**
 * The socket that systemd hands to this process, if it does. Its variables are used up: a second server of this process
 * must not take the same socket.
 */
function handedOver(env: NodeJS.ProcessEnv): number | undefined {
  const { LISTEN_FDS: count, LISTEN_PID: pid } = env;
  if (count === undefined || pid !== String(process.pid)) return undefined;
  if (count !== "1") {
    throw new ServerStateError(
      `systemd hands over ${count} sockets (LISTEN_FDS); expected 1. Give the .socket unit a single ListenStream=.`,
    );
  }
  for (const name of ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"]) delete env[name];
  return FIRST_HANDED_OVER;
}

/** Where a server listens is said by whoever started it, once; Fastify has no switch for its own line. */
async function listen(
  fastify: FastifyInstance,
  where: { readonly host: string; readonly port: number } | { readonly path: string },
): Promise<void> {
  const { log } = fastify;
  const { info } = log;
  log.info = ((first: unknown, ...rest: unknown[]) => {
    if (first !== FASTIFY_LISTENS) (info as (...all: unknown[]) => void).call(log, first, ...rest);
  }) as typeof info;
  try {
    await fastify.listen({ ...where, listenTextResolver: () => FASTIFY_LISTENS });
  } finally {
    log.info = info;
  }
}

/** A process that was killed leaves its socket's path behind, and nobody could listen there again. One in use stays. */
async function clearLeftOver(path: string): Promise<void> {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() !== true) return;
  const inUse = await new Promise<boolean>((resolve) => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code !== "ECONNREFUSED"));
  });
  if (!inUse) unlinkSync(path);
}

function urlOf(config: ResolvedConfig, address: AddressInfo | string | null, host: string | undefined): string {
  if (address === null) return config.server.host;
  if (typeof address === "string") return `${UNIX}${address}`;
  const at = host ?? address.address;
  const name = at === "0.0.0.0" || at === "::" ? "localhost" : at.includes(":") ? `[${at}]` : at;
  return `${config.server.https === undefined ? "http" : "https"}://${name}:${address.port}`;
}
