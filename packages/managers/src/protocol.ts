/** What managers say across threads: each thread with the service in the supervisor, the service with its workers. */
import type { MessagePort, ResourceLimits } from "node:worker_threads";
import type {
  AnswerRing,
  EncodedThrown,
  FromWorker,
  RunMessage,
  ThreadExit,
  ThreadLink,
} from "@duck-ts/runtime/internal";
import { CLAIMS, type Words } from "./board.ts";
import type { ToToolkit } from "./toolkit/protocol.ts";

export type Kind = "loop" | "thread";
export type ManagerId = string | number;

/** What does not change as long as a manager runs. */
export type Started = {
  readonly epoch: number;
  readonly taskType: string | null;
  readonly daemon: boolean;
  readonly threadName: string;
  readonly resourceLimits?: ResourceLimits | undefined;
  readonly abortGraceMs: number;
  /** Pools only. */
  readonly pool?: PoolSettings | undefined;
};

export type PoolSettings = {
  readonly maxWorkers: number;
  readonly minWorkers: number;
  readonly maxQueue: number;
  readonly idleTimeoutMs: number;
  readonly memoryLimitMb: number;
  readonly workerInit: RunMessage | undefined;
  /** Whether the owner makes the workers itself and serves them directly. */
  readonly hosted: boolean;
};

/** How a manager is introduced to a thread. */
export type Introduction = {
  readonly key: string;
  readonly kind: Kind;
  readonly id: ManagerId | undefined;
  readonly owner: readonly ThreadLink[];
  readonly head: Words;
};

export type QueuedTask = {
  readonly message: RunMessage;
  readonly timeoutMs: number | undefined;
  readonly moved: boolean;
};

export type StopReport = { readonly completed: number; readonly cancelled: number; readonly terminated: number };

/** One thread of the lineage that was asked for a manager. */
export type Asked = {
  readonly thread: ThreadLink;
  readonly ids: readonly (ManagerId | undefined)[];
  readonly found: boolean;
};

/** From a thread to the service. */
export type ToService =
  | { readonly op: "created"; readonly manager: Introduction; readonly replaces: string | undefined }
  /** Replied to with `Introduction | undefined`: the nearest ancestor's, else `create`, else nothing. */
  | {
      readonly op: "resolve";
      readonly kind: Kind;
      readonly id: ManagerId | undefined;
      readonly create: Introduction | undefined;
    }
  | { readonly op: "explain"; readonly kind: Kind; readonly id: ManagerId | undefined }
  | { readonly op: "describe"; readonly key: string }
  | { readonly op: "start"; readonly key: string; readonly started: Started }
  | { readonly op: "stop"; readonly key: string; readonly wait: boolean; readonly timeoutMs: number }
  /** `again`: their worker ended before they began; they were in front, and are again. */
  | { readonly op: "submit"; readonly key: string; readonly tasks: readonly QueuedTask[]; readonly again?: boolean }
  /** A deadline for a task that went straight to a loop's thread. */
  | { readonly op: "watch"; readonly key: string; readonly callId: number; readonly timeoutMs: number }
  | { readonly op: "done"; readonly key: string; readonly callId: number }
  | { readonly op: "cancel"; readonly key: string; readonly callId: number; readonly reason: unknown }
  /** May the submitter, itself a worker of the pool, run this queued task? Replied to with a boolean. */
  | { readonly op: "reclaim"; readonly key: string; readonly callId: number }
  | {
      readonly op: "connect";
      readonly key: string;
      readonly port: MessagePort;
      readonly bell: Int32Array;
      readonly answers: AnswerRing;
      readonly words: Words;
    }
  /** How many tasks the sender puts into the pool's queue, ever: what is missing when it has ended was lost with it. */
  | { readonly op: "account"; readonly key: string; readonly words: Int32Array }
  /** A worker's place or the queue may have been left waiting for a look. */
  | { readonly op: "poke"; readonly key: string }
  /** What a worker of a hosted pool says of tasks that were submitted to its manager. */
  | { readonly op: "hostedAnswers"; readonly key: string; readonly to: number; readonly answers: readonly FromWorker[] }
  /** It has begun there and is not done: it needs the worker's event loop to go on. */
  | { readonly op: "hostedAwaits"; readonly key: string; readonly from: number; readonly callId: number }
  | { readonly op: "hostedDone"; readonly key: string; readonly callId: number; readonly ok: boolean }
  | { readonly op: "utilization"; readonly key: string }
  /** It is stopped for good: its id is free again. */
  | { readonly op: "forget"; readonly key: string }
  | { readonly op: "tree" }
  | { readonly op: "toolkit"; readonly body: ToToolkit };

/** From the service to a thread. */
export type FromService =
  | {
      readonly op: "connect";
      readonly key: string;
      /** Unique in the pool. */
      readonly worker: number;
      readonly port: MessagePort;
      readonly answers: AnswerRing;
      /** What the worker shares, and the receiver's number there; see board.ts. */
      readonly block: Words;
      readonly seat: number;
      readonly links: readonly ThreadLink[];
    }
  | {
      readonly op: "gone";
      readonly key: string;
      /** In a pool, which one. */
      readonly worker: number;
      readonly exit: ThreadExit;
      readonly links: readonly ThreadLink[];
    }
  /** Of what was sent to that worker nothing begins any more: it is cancelled. */
  | ({ readonly op: "withdraw"; readonly key: string; readonly worker: number } & WhyDropped)
  /** A loop's thread is up. */
  | { readonly op: "up"; readonly key: string; readonly links: readonly ThreadLink[] }
  | { readonly op: "answers"; readonly answers: readonly FromWorker[]; readonly links: readonly ThreadLink[] }
  | { readonly op: "lost"; readonly callId: number; readonly exit: ThreadExit; readonly thread: string }
  | ({ readonly op: "dropped"; readonly callId: number } & WhyDropped)
  | { readonly op: "expired"; readonly callId: number; readonly timeoutMs: number };

/** Why tasks that had not begun are cancelled, and what was thrown where that is the reason. */
export type WhyDropped = { readonly why: string; readonly cause?: EncodedThrown | undefined };

/** From the service to a worker it hosts. */
export type ToAgent =
  /** `words`: the counters of a loop's port, `seat`: the submitter's number at a pool's worker; see board.ts. */
  | {
      readonly t: "connect";
      readonly from: number;
      readonly port: MessagePort;
      readonly bell: Int32Array;
      readonly answers: AnswerRing;
      readonly words?: Words;
      readonly seat?: number;
    }
  /** A loop's counters for a submitter that has no port, and sends through the supervisor. */
  | { readonly t: "account"; readonly from: number; readonly words: Words }
  | { readonly t: "run"; readonly tasks: readonly AgentTask[] }
  | { readonly t: "cancel"; readonly from: number; readonly callId: number; readonly reason: unknown }
  /** It was cancelled, had its grace, and goes on regardless: nobody waits for it any more. */
  | { readonly t: "abandon"; readonly from: number; readonly callId: number }
  /** Tell when nothing is left to do. */
  | { readonly t: "drain" }
  /** Does your event loop turn, and is this task still to come, or to be imported? */
  | { readonly t: "ping"; readonly from: number; readonly callId: number };

/**
 * `ring`: the word of the worker's block (`CLAIMS` in board.ts) by which either side takes the task; -1: nobody else can. `open`: what
 * that word holds while neither has; never the same twice in a row, since the worker may still have an old task of
 * that word in hand that was taken back from it.
 */
export type AgentTask = {
  readonly from: number;
  readonly message: RunMessage;
  readonly ring: number;
  readonly open: number;
  readonly beside: boolean;
};

/** From a hosted worker to the service. */
export type FromAgent =
  | { readonly t: "ready"; readonly links: readonly ThreadLink[] }
  | { readonly t: "failed"; readonly error: unknown }
  | { readonly t: "answers"; readonly to: number; readonly answers: readonly FromWorker[] }
  /** The worker has nothing left, and somebody may have something for it. Its place stays `HELD` until the service decides. */
  | { readonly t: "free" }
  /** The worker has come to the end of what it was given: there is room for more. */
  | { readonly t: "begun" }
  /** A task that ran beside another has ended, and its answer has left. */
  | { readonly t: "besideEnded"; readonly from: number; readonly callId: number; readonly ok: boolean }
  /** A submitter has ended and nothing of it is left: its number is free. */
  | { readonly t: "left"; readonly seat: number }
  | { readonly t: "recycle" }
  | { readonly t: "drained" }
  | { readonly t: "pong"; readonly from: number; readonly callId: number; readonly pending: boolean };

export const SERVICE = "managers";

/** How many tasks a worker can have in hand. */
export const RING: number = CLAIMS;
/** A claim word that is not open. */
export const RING_BEGUN = -1;
export const RING_TAKEN_BACK = -2;
