import * as board from "./board.ts";
import { askAsync } from "./service-client.ts";

/** What a manager has done since it was made. */
export interface TaskCounts {
  readonly completed: number;
  readonly failed: number;
  readonly cancelled: number;
  /** Threads that ended on their own, and that were replaced. */
  readonly crashes: number;
  readonly replacements: number;
}

/** Milliseconds below which half, 95 and 99 of a hundred lie; `null` before the first. Accurate to a fifth. */
export interface Percentiles {
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

export interface LoopStats extends TaskCounts {
  readonly pending: number;
  readonly lagMs: number;
  /** 0 to 1. */
  readonly utilization: number;
  readonly waitMs: Percentiles;
  readonly runMs: Percentiles;
}

export interface PoolStats extends TaskCounts {
  readonly workers: number;
  readonly queued: number;
  readonly active: number;
  /** Submissions refused because the queue was full. */
  readonly rejected: number;
  /** The share of its threads that are busy, 0 to 1. */
  readonly utilization: number;
  readonly waitMs: Percentiles;
  readonly runMs: Percentiles;
}

export async function loopStats(head: board.Words, key: string): Promise<LoopStats> {
  const utilization = await askAsync<number>({ op: "utilization", key });
  return { pending: Atomics.load(head, board.OUTSTANDING), lagMs: board.lagMs(head), utilization, ...counts(head) };
}

export async function poolStats(head: board.Words, key: string): Promise<PoolStats> {
  const utilization = await askAsync<number>({ op: "utilization", key });
  const outstanding = Atomics.load(head, board.OUTSTANDING);
  const queued = board.queued(head);
  return {
    workers: Atomics.load(head, board.WORKERS),
    queued,
    active: outstanding - queued,
    rejected: Atomics.load(head, board.REJECTED),
    utilization,
    ...counts(head),
  };
}

function counts(head: board.Words): TaskCounts & { readonly waitMs: Percentiles; readonly runMs: Percentiles } {
  return {
    completed: Atomics.load(head, board.COMPLETED),
    failed: Atomics.load(head, board.FAILED),
    cancelled: Atomics.load(head, board.CANCELLED),
    crashes: Atomics.load(head, board.CRASHES),
    replacements: Atomics.load(head, board.REPLACEMENTS),
    waitMs: percentiles(head, board.WAIT_HISTOGRAM),
    runMs: percentiles(head, board.RUN_HISTOGRAM),
  };
}

function percentiles(head: board.Words, histogram: number): Percentiles {
  return {
    p50: board.percentile(head, histogram, 0.5),
    p95: board.percentile(head, histogram, 0.95),
    p99: board.percentile(head, histogram, 0.99),
  };
}
