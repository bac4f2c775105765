/** A route as main knows it: everything but its code. */

/** Where a route's method and path lead, in the order in which the app declares them. */
export interface RouteInfo {
  readonly method: string;
  readonly path: string;
  readonly kind: "http" | "websocket" | "fetch";
  readonly timeoutMs: number | undefined;
  readonly bodyLimitBytes: number | undefined;
  readonly run: "pool" | "main";
  readonly kill: "auto" | "never";
  readonly maxConcurrent: number | undefined;
  /** Bodies above 64 KiB are given to the handler while they come in. */
  readonly streamBody: boolean;
  readonly maxMessageBytes: number | undefined;
  readonly pingIntervalMs: number | undefined;
}

/** Are two workers' tables the same? */
export function sameRoutes(a: readonly RouteInfo[], b: readonly RouteInfo[]): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
