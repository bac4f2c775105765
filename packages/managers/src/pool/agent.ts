/** What runs in each worker of a pool, for as long as the worker lives: tinypool's one task. */
import type { MessagePort } from "node:worker_threads";
import {
  adoptBell,
  adoptIdentity,
  adoptLine,
  type CarriedIdentity,
  currentThread,
  decodeValue,
  encodeError,
  findTask,
  Host,
  Inbox,
  lineageLinks,
  type RunMessage,
  runWithContext,
  type ToWorker,
} from "@duck-ts/runtime/internal";
import * as board from "../board.ts";
import { ownExecutor } from "../own-executor.ts";
import { tolerateScripts } from "../tolerate-scripts.ts";
import { type FromAgent, RING_BEGUN, RING_OPEN, type ToAgent } from "../protocol.ts";

export type AgentData = {
  readonly identity: Omit<CarriedIdentity, "root">;
  readonly line: MessagePort;
  readonly bell: Int32Array;
  readonly control: MessagePort;
  readonly key: string;
  readonly head: board.Words;
  readonly slots: board.Words;
  readonly slot: number;
  readonly generation: number;
  readonly ring: Int32Array;
  readonly workerInit: RunMessage | undefined;
  readonly memoryLimitMb: number;
};

/** Memory is looked at this often at most: the look itself costs some 10 us. */
const MEMORY_LOOK_MS = 50;

export default async function agent(data: AgentData): Promise<void> {
  adoptIdentity(data.identity);
  adoptBell(data.bell);
  adoptLine(data.line);
  ownExecutor().key = data.key;
  tolerateScripts();
  const { control, head, slots, ring } = data;
  const at = data.slot * board.SLOT_WORDS;
  const free = board.slotWord(data.generation, board.FREE);
  const taken = board.slotWord(data.generation, board.TAKEN);
  const tell = (message: FromAgent): void => control.postMessage(message);
  Atomics.store(slots, at + board.EXIT_CODE, -1);
  let uncaught = false;
  process.on("uncaughtExceptionMonitor", () => {
    uncaught = true;
  });
  process.on("exit", (code) => {
    // An uncaught error ends the thread too; what it was comes by another way, which is worth waiting for.
    if (!uncaught) Atomics.store(slots, at + board.EXIT_CODE, code);
    host.flush();
  });
  if (data.workerInit !== undefined && !(await initialised(data.workerInit, tell))) return;

  let begunAt = 0;
  let recycling = false;
  let lookedAt = performance.now();
  const idle = (): void => {
    if (recycling || draining) return finishUp();
    Atomics.store(slots, at + board.SLOT_STATE, free);
    // Whoever queues a task counts it first and looks for a free slot then; we do it the other way round. So one of us sees it.
    if (Atomics.load(head, board.QUEUED) === 0 && Atomics.load(head, board.AHEAD) === 0) return;
    if (Atomics.compareExchange(slots, at + board.SLOT_STATE, free, taken) === free) tell({ t: "free" });
  };
  let draining = false;
  const finishUp = (): void => {
    if (draining) tell({ t: "drained" });
  };
  const host = new Host("sequential", {
    started(from, callId, message) {
      begunAt = performance.now();
      Atomics.store(slots, at + board.RUN_THREAD, from);
      Atomics.store(slots, at + board.RUN_CALL, callId);
      board.record(head, board.WAIT_HISTOGRAM, Math.max(0, Date.now() - message[6]));
    },
    ended(_from, _message, ok) {
      const took = performance.now() - begunAt;
      board.record(head, board.RUN_HISTOGRAM, took);
      const recent = Atomics.load(slots, at + board.RECENT_US);
      const us = Math.max(1, Math.min(2 ** 30, Math.round(took * 1000)));
      Atomics.store(slots, at + board.RECENT_US, recent === 0 ? us : Math.round(recent * 0.8 + us * 0.2));
      Atomics.store(slots, at + board.RUN_CALL, 0);
      Atomics.add(head, ok ? board.COMPLETED : board.FAILED, 1);
      Atomics.sub(head, board.OUTSTANDING, 1);
      if (!recycling && begunAt - lookedAt > MEMORY_LOOK_MS) {
        lookedAt = begunAt;
        const { heapUsed, external, arrayBuffers } = process.memoryUsage();
        if ((heapUsed + Math.max(external, arrayBuffers)) / 1048576 > data.memoryLimitMb) {
          recycling = true;
          tell({ t: "recycle" });
        }
      }
    },
    dropped() {
      Atomics.add(head, board.CANCELLED, 1);
      Atomics.sub(head, board.OUTSTANDING, 1);
    },
    idle,
  });
  const inboxes = new Map<number, Inbox>();
  const inboxOf = (from: number): Inbox => {
    let inbox = inboxes.get(from);
    if (inbox === undefined) {
      inbox = new Inbox(from, (answers, transfer) => control.postMessage({ t: "answers", to: from, answers } satisfies FromAgent, transfer as never));
      inboxes.set(from, inbox);
    }
    return inbox;
  };
  const receive = (message: ToAgent): void => {
    switch (message.t) {
      case "connect": {
        const inbox = Inbox.onPort(message.from, message.port, message.bell);
        inboxes.set(message.from, inbox);
        message.port.on("message", (batch: readonly ToWorker[]) => host.receive(inbox, batch));
        return;
      }
      case "run":
        for (const { from, message: run, ring: claim, beside } of message.tasks) {
          if (beside) {
            host.runBeside(inboxOf(from), run);
            continue;
          }
          host.receiveClaimable(inboxOf(from), run, () => {
            if (claim >= 0 && Atomics.compareExchange(ring, claim, RING_OPEN, RING_BEGUN) !== RING_OPEN) return false;
            if (claim >= 0) Atomics.sub(head, board.AHEAD, 1);
            return true;
          });
        }
        // Given to a worker that has just become free: it must not be claimed by a submitter meanwhile.
        Atomics.compareExchange(slots, at + board.SLOT_STATE, free, taken);
        host.work();
        if (message.tasks.length > 1 || message.tasks[0]?.ring !== -1) tell({ t: "begun" });
        return;
      case "cancel":
        host.receive(inboxOf(message.from), [["cancel", message.callId, message.reason === undefined ? undefined : (message.reason as never)]]);
        return;
      case "drain":
        draining = true;
        if (host.pending === 0) finishUp();
        return;
      case "ping":
        tell({ t: "pong" });
        return;
      default:
        message satisfies never;
    }
  };
  control.on("message", receive);
  tell({ t: "ready", links: lineageLinks(currentThread()) });
  await new Promise<void>((resolve) => control.once("close", resolve));
}

async function initialised([, , ref, args, specials, context]: RunMessage, tell: (message: FromAgent) => void): Promise<boolean> {
  try {
    const fn = await findTask(ref);
    const vars = context === undefined ? undefined : (decodeValue(context.value, context.specials) as Record<string, unknown>);
    await runWithContext(vars, () => fn(...(decodeValue(args, specials) as unknown[])));
    return true;
  } catch (error) {
    tell({ t: "failed", error: encodeError(error) });
    return false;
  }
}

