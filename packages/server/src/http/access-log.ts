/** One line per request: method, path, status, duration, thread, request id, and what became of it where that is not an answer. */
import type { Logger } from "pino";
import type { RequestRecord } from "../engine/stats.ts";

/** Writes a line for each record; where the level leaves out `info`, for those that got no ordinary answer. */
export function accessLog(logger: Logger): ((record: RequestRecord) => void) | undefined {
  if (!logger.isLevelEnabled("warn")) return undefined;
  const all = logger.isLevelEnabled("info");
  return (record) => {
    if (!all && record.outcome === "answered") return;
    const { method, url, route, status, durationMs, outcome, thread, requestId, ip } = record;
    const query = url.indexOf("?");
    const fields = {
      requestId,
      method,
      path: query === -1 ? url : url.slice(0, query),
      route,
      status,
      durationMs: Math.round(durationMs * 1000) / 1000,
      thread,
      ip: ip.startsWith("+") ? ip.slice(1) : ip,
    };
    if (outcome === "answered") logger.info(fields, "request");
    else logger.warn({ ...fields, outcome }, `request: ${outcome}`);
  };
}
