/** What the toolkit says across threads: each thread with its part of the supervisor, and through it with each other. */
import type { MessagePort } from "node:worker_threads";
import type { AnswerRing, FromWorker, RunMessage, SpecialSlot } from "@duck-ts/runtime/internal";

/** The name under which the supervisor's events reach the toolkit in a thread. */
export const TOOLKIT = "toolkit";

/** Executors of the toolkit, as futures name them to the supervisor. */
export const SEPARATE = "toolkit:separate";
export const VISIT = "toolkit:visit";

/** How a task is sent to a thread of its own. */
export type SeparateTask = {
  readonly callId: number;
  readonly name: string;
  /** The submitter's direct port, over which the task comes and its answer goes; a foreign thread has none. */
  readonly port: MessagePort | undefined;
  readonly bell: Int32Array;
  readonly answers: AnswerRing;
  /** The task itself, where there is no port for it. */
  readonly message: RunMessage | undefined;
  readonly timeoutMs: number | undefined;
  /** Whether the root thread has to be kept alive until it ends. */
  readonly holdRoot: boolean;
};

/** One value on its way through a stream where no ring could take it: its place in its producer's order, and itself. */
export type StreamItem = readonly [seq: number, value: unknown, specials: readonly SpecialSlot[] | undefined];

/** What a producer says to the consumer beside the ring: an item, or only "look" (0). */
export type StreamMessage = StreamItem | 0;

/** From a thread to the toolkit's part of the supervisor. */
export type ToToolkit =
  | { readonly op: "separate"; readonly task: SeparateTask }
  /** Replied to when what the sender said before has been done. */
  | { readonly op: "sync" }
  | { readonly op: "separate.cancel"; readonly callId: number; readonly reason: unknown }
  /** Ends all threads of their own, those asked for by the sender or any thread below it. Replied to when they have ended. */
  | { readonly op: "separate.end"; readonly timeoutMs: number }
  /** Runs a task on the event loop of thread `to`. */
  | { readonly op: "visit"; readonly to: number; readonly message: RunMessage }
  | { readonly op: "visit.cancel"; readonly callId: number; readonly reason: unknown }
  | { readonly op: "visit.answers"; readonly to: number; readonly answers: readonly FromWorker[] }
  /** The sender consumes the stream `id`: at its end `words` must say so, and whoever waits on them must wake. */
  | { readonly op: "stream.open"; readonly id: string; readonly words: Int32Array }
  /** The sender will put items into the stream. */
  | {
      readonly op: "stream.join";
      readonly id: string;
      readonly owner: number;
      readonly outlet: string;
      readonly ring: Int32Array;
      readonly bell: Int32Array;
      readonly port: MessagePort | undefined;
    }
  /** A task, by its submitter and its number, waits for room in the stream, and has done so for a while. */
  | { readonly op: "stream.heldUp"; readonly id: string; readonly task: string }
  /** Producers may wait for something that has changed. */
  | { readonly op: "stream.wake"; readonly id: string }
  | { readonly op: "stream.relay"; readonly id: string; readonly outlet: string; readonly message: StreamMessage }
  | { readonly op: "stream.forget"; readonly id: string };

/** From the toolkit's part of the supervisor to a thread. */
export type FromToolkit =
  | { readonly op: "visit"; readonly from: number; readonly message: RunMessage }
  | { readonly op: "visit.cancel"; readonly from: number; readonly callId: number; readonly reason: unknown }
  | {
      readonly op: "stream.joined";
      readonly id: string;
      readonly outlet: string;
      readonly thread: number;
      readonly ring: Int32Array;
      readonly bell: Int32Array;
      readonly port: MessagePort | undefined;
    }
  | { readonly op: "stream.relayed"; readonly id: string; readonly outlet: string; readonly message: StreamMessage }
  | { readonly op: "stream.heldUp"; readonly id: string; readonly task: string }
  /** The thread has ended: nothing more comes from it. */
  | { readonly op: "stream.left"; readonly id: string; readonly thread: number }
  /** To the root: stay alive, and: no longer for this reason. */
  | { readonly op: "hold" }
  | { readonly op: "letGo" };
