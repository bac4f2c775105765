import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { ResolvedConfig } from "../config/types.ts";
import { peerAddress } from "../http/peer.ts";
import { createAnswers } from "./answers.ts";
import type { RequestMetrics } from "./request-metrics.ts";
import type { ManagementSource } from "./source.ts";
import { isFromLoopback } from "./who-may-ask.ts";

export interface ManagementOptions {
  readonly settings: ResolvedConfig["management"];
  readonly source: ManagementSource;
  readonly metrics: RequestMetrics;
  /** Whether the app has a route of its own for GET on this path: the app's wins, and nothing is registered. */
  readonly appHas?: ((path: string) => boolean) | undefined;
  /** Answers a client that may not ask as though the path were not there. Default: Fastify's not-found handler. */
  readonly refuse?: ((request: FastifyRequest, reply: FastifyReply) => unknown) | undefined;
}

/**
 * Registers the management paths on a Fastify instance: `await managementPlugin(fastify, options)`, or
 * `fastify.register(managementPlugin, options)`. Registers nothing where `expose` names a listener of its own: see
 * `listenForManagement`.
 */
export async function managementPlugin(fastify: FastifyInstance, options: ManagementOptions): Promise<void> {
  const {
    settings,
    source,
    metrics,
    appHas = () => false,
    refuse = (_request, reply) => reply.callNotFound(),
  } = options;
  if (typeof settings.expose === "object") return;
  const open = settings.expose === "all";
  for (const [path, answer] of createAnswers(settings, source, metrics)) {
    if (appHas(path)) continue;
    fastify.route({
      method: ["GET", "HEAD"],
      url: path,
      exposeHeadRoute: false,
      config: { management: true } as never,
      // A probe every second would drown what the log is for.
      logLevel: "warn",
      async handler(request, reply) {
        if (!open && !isFromLoopback(peerAddress(request.socket), request.headers)) {
          await refuse(request, reply);
          return reply;
        }
        const { status, headers, body } = await answer();
        return reply.code(status).headers(headers).send(body);
      },
    });
  }
}
