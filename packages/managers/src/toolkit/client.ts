/** This thread's side of the toolkit's part of the supervisor. */
import {
  encodeError,
  type FromWorker,
  Host,
  Inbox,
  line,
  lineHandlers,
  type TaskFutureOptions,
  threadWide,
} from "@duck-ts/runtime/internal";
import { ask, askAsync, tell } from "../service-client.ts";
import { type FromToolkit, TOOLKIT, type ToToolkit } from "./protocol.ts";

/** What a stream that this thread consumes does with news. */
export interface StreamNews {
  joined(event: Extract<FromToolkit, { op: "stream.joined" }>): void;
  relayed(event: Extract<FromToolkit, { op: "stream.relayed" }>): void;
  /** A task of this thread waits for room. */
  heldUp(task: string): void;
  left(thread: number): void;
  readonly label: string;
  /** Is it no iterable's, whose end is its body's? */
  readonly isChannel: boolean;
  /** How many items were taken when a producer came to wait for room, if nobody waits for the next item. */
  stuckAfter(): number | undefined;
  /** The threads that wait for room. */
  stuckThreads(): readonly number[];
  /** Nothing may be put any more. */
  shut(): boolean;
  serve(): void;
}

type Client = { readonly streams: Map<string, StreamNews>; visitors: Host | undefined };

const client = (): Client => threadWide("toolkit-client", () => ({ streams: new Map(), visitors: undefined }));

export function tellToolkit(body: ToToolkit, transfer?: readonly unknown[]): void {
  tell({ op: "toolkit", body }, transfer);
}

/** For futures: tells the supervisor that one was cancelled. */
export function cancelBy(op: "separate.cancel" | "visit.cancel"): TaskFutureOptions["onCancel"] {
  return ({ callId }, reason) =>
    tellToolkit({ op, callId, reason: reason === undefined ? undefined : encodeError(reason) });
}

/** Blocks for one round trip to the supervisor. */
export function askToolkit(body: ToToolkit): void {
  ask<undefined>({ op: "toolkit", body });
}

export function askToolkitAsync(body: ToToolkit): Promise<void> {
  return askAsync<undefined>({ op: "toolkit", body });
}

/** The streams that this thread consumes, by id. */
export function consumedStreams(): Map<string, StreamNews> {
  return client().streams;
}

/** Runs a task of another thread on this thread's event loop. */
function visit({ from, message }: Extract<FromToolkit, { op: "visit" }>): void {
  const own = client();
  own.visitors ??= new Host("concurrent", {});
  own.visitors.receive(visitorsInbox(from), [message]);
}

function visitorsInbox(from: number): Inbox {
  return new Inbox(from, (answers: readonly FromWorker[]) => tellToolkit({ op: "visit.answers", to: from, answers }));
}

function hear(event: FromToolkit): void {
  switch (event.op) {
    case "visit":
      visit(event);
      return;
    case "visit.cancel":
      client().visitors?.receive(visitorsInbox(event.from), [["cancel", event.callId, event.reason as never]]);
      return;
    case "stream.joined": {
      const stream = client().streams.get(event.id);
      if (stream === undefined) event.port?.close();
      else stream.joined(event);
      return;
    }
    case "stream.relayed":
      client().streams.get(event.id)?.relayed(event);
      return;
    case "stream.heldUp":
      client().streams.get(event.id)?.heldUp(event.task);
      return;
    case "stream.left":
      client().streams.get(event.id)?.left(event.thread);
      return;
    case "hold":
      line().hold();
      return;
    case "letGo":
      line().letGo();
      return;
    default:
      event satisfies never;
  }
}

// As soon as a thread has loaded the toolkit: a task that it submits by any way may want to run something here.
lineHandlers().events.set(TOOLKIT, (body) => hear(body as FromToolkit));
