/** Routes as a worker reports them, and what main keeps beside each. */
import type { MainRoute } from "./in-flight.ts";
import { RouteCost } from "./route-cost.ts";
import type { RouteInfo } from "./route-info.ts";

export function mainRoutes(
  infos: readonly RouteInfo[],
  defaults: { readonly timeoutMs: number; readonly bodyLimitBytes: number },
): readonly MainRoute[] {
  return infos.map((info, index): MainRoute => {
    return {
      index,
      info,
      cost: new RouteCost(),
      counts: { method: info.method, path: info.path, requests: 0, byClass: [0, 0, 0, 0, 0, 0] },
      timeoutMs: info.timeoutMs ?? defaults.timeoutMs,
      bodyLimitBytes: info.bodyLimitBytes ?? defaults.bodyLimitBytes,
      streamLimitBytes: info.bodyLimitBytes ?? Number.POSITIVE_INFINITY,
      queued: 0,
      running: 0,
      admitted: 0,
      waiting: [],
    };
  });
}
