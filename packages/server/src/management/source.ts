import type { ThreadNode } from "@duck-ts/managers";
import type { MainLoopStats } from "../http/main-loop.ts";

/** What management asks the engine. No worker is ever asked, so none can delay an answer. */
export interface ManagementSource {
  /** True once workers are ready and until draining starts. `reason` says why not. */
  ready(): { readonly ready: boolean; readonly reason?: string | undefined };
  report(): EngineReport;
  /** Asked of the supervisor, which never blocks. */
  managers(): Promise<ThreadNode>;
}

/** Request threads, counted. */
interface WorkersReport {
  readonly wanted: number;
  readonly ready: number;
  readonly busy: number;
  /** Threads started again after one died, since the server started. */
  readonly restarts: number;
  /** Threads terminated at a request's deadline. */
  readonly kills: number;
}

/** The engine at this moment. */
export interface EngineReport {
  readonly workers: WorkersReport;
  readonly queued: number;
  readonly inFlight: number;
  /** Requests refused because the queue was full. */
  readonly rejected: number;
  /** Requests sent to each request thread, the first first, by what was known of their cost. */
  readonly placements: readonly Readonly<Record<string, number>>[];
  readonly mainLoop: MainLoopStats;
}
