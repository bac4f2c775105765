import type { IncomingMessage } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { pathOf } from "../app/path.ts";
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
  for (const [path, answer] of createAnswers(settings, source, metrics)) {
    if (appHas(path)) continue;
    fastify.route({
      method: ["GET", "HEAD"],
      url: path,
      exposeHeadRoute: false,
      // To rate limits a probe is nobody's traffic; and none of it is the API that @fastify/swagger is to describe.
      config: { management: true, rateLimit: false } as never,
      schema: { hide: true } as never,
      // A probe every second would drown what the log is for.
      logLevel: "warn",
      async handler(request, reply) {
        if (!mayAsk(settings, request)) {
          await refuse(request, reply);
          return reply;
        }
        const { status, headers, body } = await answer();
        return reply.code(status).headers(headers).send(body);
      },
    });
  }
}

const METHODS: readonly string[] = ["GET", "HEAD", "OPTIONS"];

/** The methods that a management path has for whoever asks; none where it is no such path, or not theirs to ask. */
export function managementMethods(
  settings: ManagementOptions["settings"],
  request: IncomingMessage,
): readonly string[] {
  const { health, ready, metrics, expose } = settings;
  const isOne = typeof expose === "string" && [health, ready, metrics].includes(pathOf(request.url ?? "/"));
  return isOne && mayAsk(settings, request) ? METHODS : [];
}

function mayAsk(
  { expose }: ManagementOptions["settings"],
  { socket, headers }: Pick<IncomingMessage, "socket" | "headers">,
): boolean {
  return expose === "all" || isFromLoopback(peerAddress(socket), headers);
}
