/** What runs in a thread of its own: one task, and then the thread ends. */
import type { MessagePort } from "node:worker_threads";
import {
  type AnswerRing,
  currentThread,
  Host,
  Inbox,
  lineageLinks,
  type PostToWorker,
  type RunMessage,
} from "@duck-ts/runtime/internal";
import type { FromAgent, ToAgent } from "../protocol.ts";
import { tolerateScripts } from "../tolerate-scripts.ts";
import "./worker-side.ts";

export type SeparateData = {
  readonly control: MessagePort;
  readonly from: number;
  readonly port: MessagePort | undefined;
  readonly bell: Int32Array;
  readonly answers: AnswerRing;
  readonly message: RunMessage | undefined;
};

/** What the task left open (a timer, a socket) does not keep its thread longer than this. */
const LINGER_MS = 50;

export function start(data: unknown): void {
  const { control, from, port, bell, answers, message } = data as SeparateData;
  tolerateScripts();
  const tell = (said: FromAgent): void => control.postMessage(said);
  let done = false;
  const host = new Host("sequential", {
    ended() {
      done = true;
    },
    dropped() {
      done = true;
    },
    idle() {
      if (!done) return;
      port?.close();
      control.close();
      // Not at once: what the task wrote to process.stdout leaves with the next turns of the event loop.
      setTimeout(() => process.exit(), LINGER_MS).unref();
    },
  });
  process.on("exit", () => host.flush());
  const inbox =
    port === undefined
      ? new Inbox(from, (answers, transfer) =>
          control.postMessage({ t: "answers", to: from, answers } satisfies FromAgent, transfer as never),
        )
      : Inbox.onPort(from, port, bell, answers);
  control.on("message", (said: ToAgent) => {
    if (said.t === "cancel") host.receive(inbox, [["cancel", said.callId, said.reason as never]]);
  });
  tell({ t: "ready", links: lineageLinks(currentThread()) });
  if (message !== undefined) host.receive(inbox, [message]);
  port?.on("message", (batch: PostToWorker) => host.receive(inbox, batch));
}
