/**
 * The threads that requests run on, as the engine sees them: somebody who spawns one, says when it is ready and when it is
 * gone. Who is next, what is replaced and when is decided here; how a thread lives is the managers' business.
 */
import type { MessagePort, ResourceLimits } from "node:worker_threads";

/** How a worker ended. */
export interface WorkerExit {
  readonly reason: "exit" | "out-of-memory" | "error" | "terminated";
  readonly exitCode: number | undefined;
  readonly error?: Error;
  /** It was ended because it was not ready in time. */
  readonly late?: boolean;
}
/** A ready worker. */
export interface HostedWorker {
  readonly thread: { readonly id: number; readonly name: string };
  readonly port: MessagePort;
  /** At once; never waits. */
  terminate(): void;
  /** It has no more requests: it runs its stop() and exits. */
  retire(): void;
}
export interface HostPoolOptions {
  readonly taskType: string;
  readonly maxWorkers: number;
  readonly threadNamePrefix: string;
  readonly workerModule: string;
  readonly workerData: unknown;
  readonly resourceLimits?: ResourceLimits;
  /** A worker that is not ready by then is ended, and its exit says so. */
  readonly startTimeoutMs: number;
  onReady(worker: HostedWorker): void;
  onExit(worker: HostedWorker | undefined, exit: WorkerExit): void;
}
export interface HostedPool {
  spawn(): void;
  /** Retires all, ends at `timeoutMs` what is left, and resolves to how many ready ones those were. */
  close(options: { timeoutMs: number }): Promise<number>;
}
/** Makes a pool; the managers' in production, a fake in tests of the dispatcher. */
export type HostPool = (options: HostPoolOptions) => HostedPool;
