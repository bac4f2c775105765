/** How long a refused client shall stay away: what is queued, at what it costs, over the threads there are. Pure. */

const LONGEST_S = 60;

/** Seconds for `Retry-After`, 1 to 60. */
export function retryAfterSeconds(queued: number, averageCostUs: number, workers: number): number {
  const seconds = (queued * averageCostUs) / 1e6 / Math.max(1, workers);
  return Math.min(LONGEST_S, Math.max(1, Math.ceil(seconds)));
}
