/** The toolkit's part of the managers' service. Runs in the supervisor's thread. */
import type { Answerers, SupervisorApi, ThreadExit, ThreadRecord, WaitTarget } from "@duck-ts/runtime/internal";
import type { FromService } from "../../protocol.ts";
import { type FromToolkit, SEPARATE, TOOLKIT, type ToToolkit, VISIT } from "../protocol.ts";
import { SeparateThreads } from "./separate-threads.ts";
import { Streams } from "./streams.ts";
import { Visits } from "./visits.ts";

/** What the rooms of the toolkit need of the service they live in. */
export type ToolkitContext = {
  readonly api: SupervisorApi;
  readonly urls: { readonly entry: URL; readonly separateAgent: URL };
  /** To the managers' code in a thread. */
  answer(thread: ThreadRecord, event: FromService): void;
  /** To the toolkit's code in a thread. */
  tell(thread: ThreadRecord | undefined, event: FromToolkit, transfer?: readonly unknown[]): void;
};

export class ToolkitHost {
  readonly #separate: SeparateThreads;
  readonly #visits: Visits;
  readonly #streams: Streams;

  constructor(api: SupervisorApi, urls: ToolkitContext["urls"], answer: ToolkitContext["answer"]) {
    const context: ToolkitContext = {
      api,
      urls,
      answer,
      tell: (thread, body, transfer) => thread?.post({ t: "event", service: TOOLKIT, body }, transfer as never),
    };
    this.#separate = new SeparateThreads(context);
    this.#visits = new Visits(context);
    this.#streams = new Streams(context);
  }

  call(from: ThreadRecord, message: ToToolkit, reply: ((value: unknown) => void) | undefined): void {
    switch (message.op) {
      case "separate":
        this.#separate.start(from, message.task);
        return;
      case "sync":
        reply?.(undefined);
        return;
      case "separate.cancel":
        this.#separate.cancel(from, message.callId, message.reason);
        return;
      case "separate.end":
        void this.#separate.endBelow(from, message.timeoutMs).then(reply);
        return;
      case "visit":
        this.#visits.start(from, message.to, message.message);
        return;
      case "visit.cancel":
        this.#visits.cancel(from, message.callId, message.reason);
        return;
      case "visit.answers":
        this.#visits.answered(from, message.to, message.answers);
        return;
      case "stream.open":
        this.#streams.open(from, message.id, message.words);
        return;
      case "stream.join":
        this.#streams.join(from, message);
        return;
      case "stream.heldUp":
        this.#streams.heldUp(message);
        return;
      case "stream.wake":
        this.#streams.wake(message.id);
        return;
      case "stream.relay":
        this.#streams.relay(message.id, message.outlet, message.message);
        return;
      case "stream.forget":
        this.#streams.forget(message.id);
        return;
      default:
        message satisfies never;
    }
  }

  threadGone(thread: ThreadRecord, exit: ThreadExit): void {
    this.#separate.threadGone(thread);
    this.#visits.threadGone(thread, exit);
    this.#streams.threadGone(thread);
  }

  /** Who could finish this task; `undefined`: it is none of the toolkit's. */
  answerers({ executor, callId }: Extract<WaitTarget, { on: "task" }>, waiter: number): Answerers | undefined {
    if (executor === SEPARATE) return this.#separate.answerers(waiter, callId);
    if (executor === VISIT) return this.#visits.answerers(waiter, callId);
    return undefined;
  }
}
