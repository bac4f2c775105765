/** What a generation of workers is made with. */
import type { LogWireMessage } from "../logs/wire.ts";
import type { HostPool } from "./host-pool.ts";
import type { InFlight, Outcome } from "./in-flight.ts";
import type { CostClass } from "./route-cost.ts";
import type { RestartReason } from "./stats.ts";
import type { WorkerData } from "./wire.ts";

/** What a generation writes to its log. */
export interface EngineLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** What all generations of an engine have in common. */
export interface PoolSettings {
  readonly hostPool: HostPool;
  /** URL of the module that request threads run. */
  readonly workerModule: string;
  readonly maxWorkers: number;
  readonly maxQueue: number;
  readonly timeoutMs: number;
  readonly bodyLimitBytes: number;
  readonly memoryLimitMb: number;
  /** How long a worker may take to be ready. */
  readonly startTimeoutMs: number;
  readonly log: EngineLog;
  receiveLog(message: LogWireMessage): void;
}

export interface GenerationOptions extends PoolSettings {
  readonly number: number;
  readonly workerData: WorkerData;
  /** See the dispatcher's. */
  readonly placements: Record<CostClass, number>[];
  onSettled(request: InFlight, status: number, outcome: Outcome): void;
  onRestart(reason: RestartReason): void;
  onKill(): void;
  idOf(request: InFlight): string;
}
