/** How long a refused client shall stay away: until the threads have done what they have and what is queued. Pure. */

const LONGEST_S = 60;

/** Of a route: how many of its requests there are, and what one takes. */
interface RouteWork {
  readonly queued: number;
  readonly running: number;
  readonly cost: { readonly costUs: number };
}

/** Seconds for `Retry-After`, 1 to 60. */
export function retryAfterSeconds(routes: readonly RouteWork[], workers: number): number {
  let workUs = 0;
  for (const { queued, running, cost } of routes) workUs += (queued + running) * cost.costUs;
  const seconds = workUs / 1e6 / Math.max(1, workers);
  return Math.min(LONGEST_S, Math.max(1, Math.ceil(seconds)));
}
