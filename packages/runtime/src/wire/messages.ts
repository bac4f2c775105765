import type { MessagePort } from "node:worker_threads";
import type { CrashReason } from "../errors.ts";
import type { TaskRef } from "../task/task-ref.ts";
import type { ThreadLink } from "../thread/identity.ts";
import type { EncodedThrown } from "./error-codec.ts";
import type { SpecialSlot } from "./value-codec.ts";

/** How a thread ended, as it is told to others. */
export type ThreadExit = {
  readonly reason: CrashReason;
  readonly exitCode: number | undefined;
  readonly message?: string;
};

/** A task of a thread that says so. */
export type TaskTarget = {
  readonly on: "task";
  readonly executor: string;
  readonly callId: number;
  readonly label: string;
  /** It has a deadline, or a signal that may abort it: it comes to an end whatever happens to others. */
  readonly bounded?: boolean;
};

/** What a blocked or awaiting thread waits for. */
export type WaitTarget = TaskTarget | { readonly on: "future"; readonly id: string; readonly label: string };

/** One wait that did not end at once. `blocking`: the whole thread stands still; else only the task `within` does. */
export type Wait = {
  readonly id: number;
  readonly blocking: boolean;
  /** The task in whose body the wait stands, if any. */
  readonly within: string | undefined;
  readonly target: WaitTarget;
  /** It ends by itself after a time. */
  readonly bounded?: boolean;
};

/** How a future that crossed a thread came out. */
export type WireOutcome =
  | { readonly ok: true; readonly value: unknown; readonly specials: readonly SpecialSlot[] | undefined }
  | { readonly ok: false; readonly error: EncodedThrown };

/** From any thread to the supervisor. */
export type ToSupervisor =
  /** A thread the sender has made, with the supervisor's end of its line. */
  | {
      readonly t: "thread";
      readonly links: readonly ThreadLink[];
      readonly bell: Int32Array;
      readonly port: MessagePort;
    }
  /** The sender itself, now that it knows its own thread id and name. First message on a line. */
  | { readonly t: "self"; readonly links: readonly ThreadLink[] }
  /** A thread ended. Sent by whoever sees it first: its parent, or itself on the way out. */
  | { readonly t: "gone"; readonly id: number; readonly exit: ThreadExit }
  /** Code of a higher package that runs beside the registry; loaded once. */
  | { readonly t: "service"; readonly name: string; readonly url: string }
  /** A message for a service. `seq` 0 asks for no reply. */
  | { readonly t: "call"; readonly service: string; readonly seq: number; readonly body: unknown }
  | { readonly t: "wait"; readonly wait: Wait }
  | { readonly t: "unwait"; readonly id: number }
  /** Means nothing: whether it can be sent at all is what a blocked thread wants to know. */
  | { readonly t: "there" }
  /** The answer to `quiet` or `stands`. */
  | { readonly t: "confirm"; readonly ask: number; readonly yes: boolean }
  /** The answer to `written`. */
  | { readonly t: "written"; readonly ask: number }
  /** Replied to when what the supervisor's threads have written to their standard streams has come to the sender. */
  | { readonly t: "output"; readonly seq: number }
  /** The sender holds a copy of a future that lives elsewhere (or lives here and left). `task`: it is that one's result. */
  | { readonly t: "future.hold"; readonly id: string; readonly task?: TaskTarget | undefined }
  /** A task of the sender has it as an argument; and: that task is settled. */
  | { readonly t: "future.carried"; readonly id: string; readonly task: TaskTarget }
  | { readonly t: "future.delivered"; readonly id: string; readonly callId: number }
  | { readonly t: "future.settle"; readonly id: string; readonly outcome: WireOutcome }
  | { readonly t: "future.release"; readonly id: string }
  | { readonly t: "threads"; readonly seq: number };

/** From the supervisor to a thread. */
export type FromSupervisor =
  | { readonly t: "welcome" }
  | { readonly t: "reply"; readonly seq: number; readonly ok: true; readonly value: unknown }
  | { readonly t: "reply"; readonly seq: number; readonly ok: false; readonly error: EncodedThrown }
  /** A service speaks to the code of its package in this thread. */
  | { readonly t: "event"; readonly service: string; readonly body: unknown }
  | { readonly t: "deadlock"; readonly wait: number; readonly cycle: readonly string[] }
  /** Is there nothing on your event loop, no timer, no socket, that could let your tasks go on? */
  | { readonly t: "quiet"; readonly ask: number }
  /** Have you taken all that has come, and is your thread's innermost wait still this one? */
  | { readonly t: "stands"; readonly ask: number; readonly wait: number }
  /** Has what you have written to your standard streams left you? */
  | { readonly t: "written"; readonly ask: number }
  | { readonly t: "future.settled"; readonly id: string; readonly outcome: WireOutcome }
  /** The last of the other threads that held a future of the receiver's has ended. */
  | { readonly t: "future.alone"; readonly id: string };

/**
 * A task on its way to the thread that runs it. A tuple, since a thousand of them cross in one message. Over a direct
 * port the task's reference crosses once, `as` a number, and is that number from then on.
 */
export type RunMessage = readonly [
  op: "run",
  callId: number,
  task: TaskRef & { readonly as?: number },
  args: readonly unknown[],
  specials: readonly SpecialSlot[] | undefined,
  context: { readonly value: unknown; readonly specials: readonly SpecialSlot[] | undefined } | undefined,
  submittedAt: number,
  claims?: Claims | undefined,
];

/**
 * Tasks whose arguments are all scalars, flat: for each its callId, its task's number, how many arguments, and those.
 * Small integers side by side cross many times faster than a tuple a task.
 */
export type ManyMessage = readonly [
  op: "many",
  submittedAt: number,
  claims: Claims | undefined,
  flat: readonly unknown[],
];

/**
 * The words by which a submitter can take tasks back that it sent ahead, one a task in the order of sending; `from` is
 * the first task's number in that order. Blocks of words cross once, with the first task that uses them.
 */
export type Claims = { readonly from: number; readonly blocks: readonly (readonly [number, Int32Array])[] };

/** What crosses a task port towards the worker. */
export type ToWorker =
  | RunMessage
  | ManyMessage
  | readonly [op: "cancel", callId: number, reason: EncodedThrown | undefined];

/** What crosses a task port back to the submitter. */
export type FromWorker =
  | readonly [op: "ok", callId: number, value: unknown, specials: readonly SpecialSlot[] | undefined]
  | readonly [op: "failed", callId: number, error: EncodedThrown];

/**
 * Batches, or one alone and flat: half the time of a nested message, on both sides, which is what a task costs that
 * somebody waits for. A batch begins with a message, what is flat with a number. `order`: its number among the tasks that
 * can be taken back; -1: it is none of them.
 */
export type PostToWorker =
  | readonly ToWorker[]
  | readonly [callId: number, task: number, submittedAt: number, order: number, ...args: unknown[]];
export type PostFromWorker = readonly FromWorker[] | readonly [callId: number, value: unknown];

/** Whether it is the flat form. */
export function isFlat<P extends PostToWorker | PostFromWorker>(
  post: P,
): post is Extract<P, readonly [number, ...unknown[]]> {
  return typeof post[0] === "number";
}

/** Posted alone on a task port: there are answers in the ring (see answer-ring.ts). */
export const LOOK = 0;
