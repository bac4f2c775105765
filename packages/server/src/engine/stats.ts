/** What the engine counts; read by the metrics endpoint and by `server.stats()`. */
import type { Outcome } from "./in-flight.ts";

/** Counted per route; `*` as the method of routes that take all of them. */
export interface RouteCounts {
  readonly method: string;
  readonly path: string;
  requests: number;
  /** By the first digit of the status, `byClass[5]`. */
  readonly byClass: number[];
}

/** A route in the statistics. */
export interface RouteStats extends Readonly<RouteCounts> {
  /** With workers now. */
  readonly running: number;
  /** The moving average of the thread's time a request takes, in microseconds; -1 before the first one. */
  readonly costUs: number;
  /** How the dispatcher places it. */
  readonly kind: "unknown" | "light" | "heavy";
  readonly async: boolean;
}

/** Why a worker was replaced. */
export type RestartReason = "exit" | "out-of-memory" | "error" | "terminated" | "timeout" | "memory" | "stuck";

/** A snapshot; cheap, never asks a worker anything. */
export interface EngineStats {
  readonly workers: {
    /** Taking requests. */
    readonly ready: number;
    /** Alive in any state, the starting ones too. */
    readonly total: number;
    readonly wanted: number;
    /** Held by a handler right now, so long that nothing is placed there. */
    readonly blocked: number;
    /** Held by a `kill: "never"` call past its deadline. */
    readonly sidelined: number;
  };
  /** Waiting on main for a thread. */
  readonly queued: number;
  /** With workers. */
  readonly active: number;
  readonly routes: readonly RouteStats[];
  readonly outcomes: Readonly<Record<Outcome, number>>;
  readonly restarts: Readonly<Record<RestartReason, number>>;
  /** Threads terminated by the engine. */
  readonly kills: number;
  /** Requests sent to workers: an entry for each place (light ones go to the first, heavy ones to the last), by kind. */
  readonly placements: readonly Readonly<Record<"light" | "unknown" | "heavy", number>>[];
  /** Requests taken back from a blocked worker before it had begun them. */
  readonly takenBack: number;
  /** Safe requests run a second time after their thread was lost. */
  readonly rerun: number;
  /** Grows by one with each reload. */
  readonly generation: number;
  readonly draining: boolean;
  /** Accepting requests: at least one worker is ready, not draining, not failing to start. */
  readonly ready: boolean;
}

/** What is told of each request that has ended, to `engine.onDone` listeners. */
export interface RequestRecord {
  readonly method: string;
  /** The route's path, `/users/:id`; never the client's, so that a label cannot grow without bound. `null`: it was no route's. */
  readonly route: string | null;
  readonly url: string;
  readonly status: number;
  readonly durationMs: number;
  readonly outcome: Outcome;
  readonly thread: string;
  readonly requestId: string;
  readonly ip: string;
}
