/** What runs in a loop's thread: any number of tasks at once, on one event loop. */
import { performance } from "node:perf_hooks"; // the global one is a getter, and a test may have replaced it
import type { MessagePort } from "node:worker_threads";
import { currentThread, Host, Inbox, lineageLinks } from "@duck-ts/runtime/internal";
import * as board from "./board.ts";
import { ownExecutor } from "./own-executor.ts";
import type { FromAgent, ToAgent } from "./protocol.ts";
import { tolerateScripts } from "./tolerate-scripts.ts";
import "./toolkit/worker-side.ts";

export type LoopData = { readonly control: MessagePort; readonly key: string; readonly head: board.Words };

export function start(data: unknown): void {
  const { control, key, head } = data as LoopData;
  ownExecutor().key = key;
  tolerateScripts();
  const tell = (message: FromAgent): void => control.postMessage(message);
  let draining = false;
  let measuring = false;
  /** By submitting thread. If this thread dies, what was not begun goes to the next. */
  const ports = new Map<number, board.Words>();
  /** The last task of each submitter, which numbers them upwards, whose turn has come. */
  const newest = new Map<number, number>();
  /** Whether it may still block the loop with its first steps. Once those are over it is a task among others. */
  const isPending = (from: number, callId: number): boolean =>
    callId > (newest.get(from) ?? 0) || host.job(from, callId)?.begun === false;
  const countBegun = (from: number): void => {
    const words = ports.get(from);
    if (words !== undefined) Atomics.add(words, board.PORT_BEGUN, 1);
  };
  const isQuiet = (): boolean => [...ports.values()].every(board.isPortQuiet);
  const host = new Host("concurrent", {
    // Counted in the order of the port, so before the task's module is imported: later tasks may overtake that.
    taken({ inbox: { from }, callId }) {
      countBegun(from);
      newest.set(from, callId);
    },
    started(job) {
      board.record(head, board.WAIT_HISTOGRAM, Math.max(0, Date.now() - job.submittedAt));
      if (measuring) return;
      measuring = true;
      measureLag(head, () => {
        measuring = host.pending > 0;
        return measuring;
      });
    },
    ended(job, ok) {
      board.record(head, board.RUN_HISTOGRAM, performance.now() - job.startedAt);
      end(job.inbox.from, ok ? board.COMPLETED : board.FAILED);
    },
    dropped({ inbox: { from }, callId }) {
      countBegun(from);
      newest.set(from, callId);
      end(from, board.CANCELLED);
    },
  });
  const end = (from: number, as: number): void => {
    const words = ports.get(from);
    // Below 0: this thread is given up already, and its tasks are counted as lost.
    if (words !== undefined && Atomics.add(words, board.PORT_ENDED, 1) < 0) return;
    Atomics.add(head, as, 1);
    Atomics.sub(head, board.OUTSTANDING, 1);
    // In a microtask: the answer leaves first, since this thread may be ended as soon as it has said so.
    if (draining) queueMicrotask(tellIfDrained);
  };
  const forget = (words: board.Words, received: number): void => {
    const sent = Atomics.load(words, board.PORT_SENT);
    const lost = sent - received;
    // Below 0: this thread is given up already. Else the submitter, which is dead, cannot change it meanwhile.
    if (lost <= 0 || Atomics.compareExchange(words, board.PORT_SENT, sent, received) !== sent) return;
    Atomics.add(head, board.CANCELLED, lost);
    Atomics.sub(head, board.OUTSTANDING, lost);
    if (draining) tellIfDrained();
  };
  const tellIfDrained = (): void => {
    if (isQuiet()) tell({ t: "drained" });
  };
  process.on("exit", () => host.flush());
  const inboxes = new Map<number, Inbox>();
  const inboxOf = (from: number): Inbox => {
    let inbox = inboxes.get(from);
    if (inbox === undefined) {
      inbox = new Inbox(from, (answers, transfer) =>
        control.postMessage({ t: "answers", to: from, answers } satisfies FromAgent, transfer as never),
      );
      inboxes.set(from, inbox);
    }
    return inbox;
  };
  control.on("message", (message: ToAgent) => {
    switch (message.t) {
      case "connect": {
        const inbox = Inbox.onPort(message.from, message.port, message.bell, message.answers);
        const { from, words } = message;
        if (words !== undefined) ports.set(from, words);
        let received = 0;
        inbox.serve(message.port, (batch) => {
          received += host.receive(inbox, batch);
        });
        // Its thread is dead, and all that it posted was delivered. What it had counted and not come to post never comes.
        message.port.on("close", () => {
          if (words !== undefined) forget(words, received);
        });
        return;
      }
      case "account":
        ports.set(message.from, message.words);
        return;
      case "run":
        for (const { from, message: run } of message.tasks) host.receive(inboxOf(from), [run]);
        return;
      case "cancel":
        host.receive(inboxOf(message.from), [["cancel", message.callId, message.reason as never]]);
        return;
      case "abandon":
        if (host.abandon(message.from, message.callId)) end(message.from, board.CANCELLED);
        return;
      case "drain":
        draining = true;
        tellIfDrained();
        return;
      case "ping":
        tell({
          t: "pong",
          from: message.from,
          callId: message.callId,
          pending: isPending(message.from, message.callId),
        });
        return;
      default:
        message satisfies never;
    }
  });
  tell({ t: "ready", links: lineageLinks(currentThread()) });
}

function measureLag(head: board.Words, goOn: () => boolean): void {
  let due = performance.now() + board.BEAT_MS;
  const timer = setInterval(() => {
    const now = performance.now();
    Atomics.store(head, board.LAG_US, Math.max(0, Math.round((now - due) * 1000)));
    Atomics.store(head, board.LAST_BEAT, Date.now() & 0x7fffffff);
    due = now + board.BEAT_MS;
    if (!goOn()) clearInterval(timer);
  }, board.BEAT_MS);
  Atomics.store(head, board.LAST_BEAT, Date.now() & 0x7fffffff);
  timer.unref();
}
