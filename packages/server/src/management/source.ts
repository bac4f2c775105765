/** What management asks the engine. Every answer is at hand on main: no worker is ever asked, so none can delay it. */
export interface ManagementSource {
  /** True once workers are ready and until draining starts. `reason` says why not. */
  ready(): { readonly ready: boolean; readonly reason?: string | undefined };
  report(): EngineReport;
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
}
