import type { Answerers, SupervisorApi, ThreadRecord, WaitTarget } from "@duck-ts/runtime/internal";
import type { FromService, QueuedTask, Started, StopReport } from "../protocol.ts";
import type { ManagerRecord } from "./records.ts";

/** What the two kinds of hosts have in common: a running manager's tasks and threads, as the supervisor keeps them. */
export interface ManagerHost {
  /** `again`: they come back from a worker that has ended, to the front. */
  submit(from: ThreadRecord, tasks: readonly QueuedTask[], again: boolean): void;
  cancel(from: ThreadRecord, callId: number, reason: unknown): void;
  watch(from: ThreadRecord, callId: number, timeoutMs: number): void;
  done(from: ThreadRecord, callId: number): void;
  stop(options: { readonly wait: boolean; readonly timeoutMs: number }): Promise<StopReport>;
  /** At once, because the owner is gone or another has taken its place and time is up. */
  kill(why: string): void;
  threadGone(thread: ThreadRecord): void;
  answerers(target: Extract<WaitTarget, { on: "task" }>, waiter: number): Answerers;
  /** Some task has begun to await another: see whether one of its own can be helped. */
  helpWaiting(awaited: (task: string) => Iterable<string>): void;
  /** The threads that run its tasks. */
  threadIds(): number[];
  utilization(): number;
}

export type HostContext = {
  readonly api: SupervisorApi;
  readonly manager: ManagerRecord;
  readonly started: Started;
  /** URLs of what runs in the threads. */
  readonly urls: { readonly poolAgent: URL; readonly loopAgent: URL; readonly entry: URL };
  post(thread: ThreadRecord | number, event: FromService, transfer?: readonly unknown[]): void;
  /** The host has nothing left and no threads. */
  ended(): void;
};
