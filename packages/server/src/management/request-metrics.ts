import { METHODS } from "node:http";

/** Upper bounds of the histogram's buckets, in seconds. */
const bucketSeconds: readonly number[] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** One method on one route. */
interface RouteDurations {
  readonly method: string;
  readonly route: string;
  /** How many took at most this many seconds, one bucket an entry. */
  readonly buckets: readonly { readonly le: number; readonly count: number }[];
  readonly count: number;
  readonly sumSeconds: number;
  /** By status. */
  readonly statuses: ReadonlyMap<number, number>;
}

/** Counts requests on the hot path, in a few additions each. prom-client, which costs more, reads it at a scrape. */
export interface RequestMetrics {
  /** `route` is the pattern (`/users/:id`), never the path: paths would grow the metrics without bound. `null`: no route's. */
  observe(method: string, route: string | null, status: number, durationMs: number): void;
  routes(): readonly RouteDurations[];
}

export function createRequestMetrics(): RequestMetrics {
  return new CountedRequests();
}

/** In HTTP/2 a client may make methods up, and each would be a label of its own. */
const KNOWN_METHODS: ReadonlySet<string> = new Set(METHODS);
const OTHER_METHOD = "other";
/** No path can be this one. */
const NO_ROUTE = "(none)";

interface Counts {
  readonly method: string;
  readonly route: string;
  readonly perBucket: Float64Array;
  sumSeconds: number;
  readonly statuses: Map<number, number>;
}

class CountedRequests implements RequestMetrics {
  readonly #counts = new Map<string, Counts>();

  observe(given: string, pattern: string | null, status: number, durationMs: number): void {
    const method = KNOWN_METHODS.has(given) ? given : OTHER_METHOD;
    const route = pattern ?? NO_ROUTE;
    const key = `${method} ${route}`;
    let counts = this.#counts.get(key);
    if (counts === undefined) {
      // One more than there are bounds: what took longer than the last.
      counts = {
        method,
        route,
        perBucket: new Float64Array(bucketSeconds.length + 1),
        sumSeconds: 0,
        statuses: new Map(),
      };
      this.#counts.set(key, counts);
    }
    const seconds = durationMs / 1000;
    let bucket = 0;
    while (bucket < bucketSeconds.length && seconds > (bucketSeconds[bucket] as number)) bucket++;
    counts.perBucket[bucket] = (counts.perBucket[bucket] as number) + 1;
    counts.sumSeconds += seconds;
    counts.statuses.set(status, (counts.statuses.get(status) ?? 0) + 1);
  }

  routes(): readonly RouteDurations[] {
    return [...this.#counts.values()].map(({ method, route, perBucket, sumSeconds, statuses }) => {
      let count = 0;
      const buckets = bucketSeconds.map((le, index) => {
        count += perBucket[index] as number;
        return { le, count };
      });
      return {
        method,
        route,
        buckets,
        count: count + (perBucket[bucketSeconds.length] as number),
        sumSeconds,
        statuses: new Map(statuses),
      };
    });
  }
}
