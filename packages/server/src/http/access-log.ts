/** One line per request: method, path, status, duration, thread, request id, and what became of it where that is not an answer. */
import { type FastifyReply, type FastifyRequest, LogController } from "fastify";
import type { Logger } from "pino";
import type { RequestRecord } from "../engine/stats.ts";

/** Writes a line for each record; where the level leaves out `info`, for those that got no ordinary answer. */
export function accessLog(logger: Logger): ((record: RequestRecord) => void) | undefined {
  if (!logger.isLevelEnabled("warn")) return undefined;
  const all = logger.isLevelEnabled("info");
  return (record) => {
    if (!all && record.outcome === "answered") return;
    const { method, url, route, status, durationMs, outcome, thread, requestId, ip } = record;
    const fields = {
      requestId,
      method,
      path: withoutQuery(url),
      route,
      status,
      durationMs: rounded(durationMs),
      thread,
      ip: ip.startsWith("+") ? ip.slice(1) : ip,
    };
    if (outcome === "answered") logger.info(fields, "request");
    else logger.warn({ ...fields, outcome }, `request: ${outcome}`);
  };
}

export interface AccessLinesOptions {
  /** Was it handed to the engine? Then the engine tells of its end. */
  isEngines(request: FastifyRequest): boolean;
  /** The pattern of the app's route that it was for, had a hook not answered it. */
  appRoute(request: FastifyRequest): string | null;
  observe(method: string, route: string | null, status: number, durationMs: number): void;
}

/**
 * Lines and figures of what Fastify answers itself: plugins' routes, hooks in front of the app's, and what nobody has a
 * route for. Of the management paths there are none, as a probe every second would drown what they are for.
 */
export class AccessLines extends LogController {
  readonly #options: AccessLinesOptions;

  constructor(options: AccessLinesOptions) {
    super({ requestIdLogLabel: "requestId" });
    this.#options = options;
  }

  override incomingRequest(): void {}
  override requestCompleted(error: Error | null, request: FastifyRequest, reply: FastifyReply): void {
    if (this.#options.isEngines(request)) return;
    const { method, routeOptions, raw, ip } = request;
    const { duckApp, management } = routeOptions.config as { duckApp?: boolean; management?: boolean };
    const route = duckApp === true ? this.#options.appRoute(request) : (routeOptions.url ?? null);
    if (management !== true) this.#options.observe(method, route, reply.statusCode, reply.elapsedTime);
    // The request's own logger knows its id.
    const fields = {
      method,
      path: withoutQuery(raw.url ?? "/"),
      route,
      status: reply.statusCode,
      durationMs: rounded(reply.elapsedTime),
      thread: "main",
      ip,
    };
    if (error === null || error === undefined) reply.log.info(fields, "request");
    else reply.log.warn({ ...fields, err: error }, "request: broken-off");
  }
}

function withoutQuery(url: string): string {
  const query = url.indexOf("?");
  return query === -1 ? url : url.slice(0, query);
}

function rounded(durationMs: number): number {
  return Math.round(durationMs * 1000) / 1000;
}
