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
import { type AgentTask, type FromAgent, RING_BEGUN, type ToAgent } from "../protocol.ts";
import { tolerateScripts } from "../tolerate-scripts.ts";
import "../toolkit/worker-side.ts";

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
  /** See board.ts: claims, and what the supervisor must know of the running task when the thread dies. */
  readonly block: board.Words;
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
  const { control, head, slots, block } = data;
  const at = data.slot * board.SLOT_WORDS;
  const free = board.slotWord(data.generation, board.FREE);
  const taken = board.slotWord(data.generation, board.TAKEN);
  const tell = (message: FromAgent): void => control.postMessage(message);
  let host: Host | undefined;
  let uncaught = false;
  process.on("uncaughtExceptionMonitor", () => {
    uncaught = true;
  });
  process.on("exit", (code) => {
    // An uncaught error ends the thread too; what it was comes by another way, which is worth waiting for.
    if (!uncaught) Atomics.store(block, board.EXIT_CODE, code);
    host?.flush();
  });
  // Where it failed, the thread waits for its end: by returning it would go back to tinypool.
  if (data.workerInit !== undefined && !(await initialised(data.workerInit, tell)))
    await new Promise<never>(() => undefined);

  const held = board.slotWord(data.generation, board.HELD);
  let begunAt = 0;
  let recycling = false;
  let draining = false;
  let lookedAt = performance.now();
  /** Tasks that came by way of the supervisor, as against those of submitters who took the slot for them. */
  const given = new Set<string>();
  /** Tasks that run beside the one whose turn it is. */
  const beside = new Set<string>();
  /** Whether the task that the slot was taken for has ended. */
  let takenEnded = true;
  /** Whether the submitter that took the slot has died since. */
  let takerGone = false;
  const finishUp = (): void => {
    if (draining) tell({ t: "drained" });
  };
  const idle = (): void => {
    Atomics.store(block, board.RUN_STATE, board.RUN_NONE);
    if (recycling || draining) {
      finishUp();
      return;
    }
    // A submitter may have taken the slot while we were busy with what the supervisor gave us: its task is on its way.
    if (!takenEnded && Atomics.load(slots, at + board.SLOT_STATE) === taken) {
      if (takerGone) tell({ t: "released" });
      takerGone = false;
      return;
    }
    takenEnded = false;
    takerGone = false;
    Atomics.store(slots, at + board.SLOT_STATE, free);
    // Whoever queues a task counts it first and looks for a free slot then; we do it the other way round. So one of us sees it.
    if (Atomics.load(head, board.QUEUED) === 0 && Atomics.load(head, board.AHEAD) === 0) return;
    if (Atomics.compareExchange(slots, at + board.SLOT_STATE, free, held) === free) tell({ t: "free" });
  };
  /** From here on the thread's death is this task's end too. The answer of the task before it has left. */
  const takeTurn = (from: number, callId: number): void => {
    Atomics.store(block, board.RUN_STATE, board.RUN_NONE);
    Atomics.store(block, board.RUN_THREAD, from);
    Atomics.store(block, board.RUN_CALL, callId);
    Atomics.store(block, board.RUN_STATE, board.RUN_RUNNING);
  };
  const running = new Host("sequential", {
    taken(from, callId) {
      if (!beside.has(`${from}.${callId}`)) takeTurn(from, callId);
    },
    started(from, callId, message) {
      if (beside.has(`${from}.${callId}`)) return;
      begunAt = performance.now();
      board.record(head, board.WAIT_HISTOGRAM, Math.max(0, Date.now() - message[6]));
    },
    ended(from, message, ok) {
      const callId = message[1];
      const name = `${from}.${callId}`;
      if (beside.delete(name)) {
        // In a microtask: its answer leaves first. It is counted over there.
        queueMicrotask(() => tell({ t: "besideEnded", from, callId, ok }));
        return;
      }
      if (!given.delete(name)) takenEnded = true;
      // RUN_CALL stays until the answer has left: to clone it runs getters, takes memory, and so may end the thread.
      if (Atomics.compareExchange(block, board.RUN_STATE, board.RUN_RUNNING, board.RUN_COUNTED) === board.RUN_RUNNING) {
        Atomics.add(head, ok ? board.COMPLETED : board.FAILED, 1);
        Atomics.sub(head, board.OUTSTANDING, 1);
      }
      const took = performance.now() - begunAt;
      board.record(head, board.RUN_HISTOGRAM, took);
      const recent = Atomics.load(block, board.RECENT_US);
      const us = Math.max(1, Math.min(2 ** 30, Math.round(took * 1000)));
      Atomics.store(block, board.RECENT_US, recent === 0 ? us : Math.round(recent * 0.8 + us * 0.2));
      if (!recycling && begunAt - lookedAt > MEMORY_LOOK_MS) {
        lookedAt = begunAt;
        const { heapUsed, external, arrayBuffers } = process.memoryUsage();
        if ((heapUsed + Math.max(external, arrayBuffers)) / 1048576 > data.memoryLimitMb) {
          recycling = true;
          tell({ t: "recycle" });
        }
      }
    },
    dropped(from, message) {
      if (!given.delete(`${from}.${message[1]}`)) takenEnded = true;
      Atomics.add(head, board.CANCELLED, 1);
      Atomics.sub(head, board.OUTSTANDING, 1);
    },
    idle,
  });
  host = running;
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
  const take = ({ from, message: run, ring: word, open, beside: isBeside }: AgentTask): void => {
    const name = `${from}.${run[1]}`;
    if (isBeside) {
      beside.add(name);
      running.runBeside(inboxOf(from), run);
      return;
    }
    running.receiveClaimable(inboxOf(from), run, () => {
      // First the turn, then the claim: a thread that dies in between leaves a task that can be taken back.
      takeTurn(from, run[1]);
      if (Atomics.compareExchange(block, word, open, RING_BEGUN) !== open) {
        Atomics.store(block, board.RUN_STATE, board.RUN_NONE);
        return false;
      }
      Atomics.sub(head, board.AHEAD, 1);
      given.add(name);
      return true;
    });
  };
  const receive = (message: ToAgent): void => {
    switch (message.t) {
      case "connect": {
        const inbox = Inbox.onPort(message.from, message.port, message.bell);
        inboxes.set(message.from, inbox);
        message.port.on("message", (batch: readonly ToWorker[]) => running.receive(inbox, batch));
        // Its thread is dead, and all that it posted was delivered. It may have taken the slot and not come to post.
        message.port.on("close", () => {
          if (
            Atomics.load(slots, at + board.SLOT_STATE) !== taken ||
            Atomics.load(slots, at + board.CLAIMED_BY) !== message.from
          )
            return;
          takerGone = true;
          if (running.pending === 0) idle();
        });
        return;
      }
      case "run":
        // Given to a worker that has just become free: no submitter may take it meanwhile.
        Atomics.compareExchange(slots, at + board.SLOT_STATE, free, held);
        for (const task of message.tasks) take(task);
        running.work();
        tell({ t: "begun" });
        return;
      case "cancel":
        running.receive(inboxOf(message.from), [
          ["cancel", message.callId, message.reason === undefined ? undefined : (message.reason as never)],
        ]);
        return;
      case "drain":
        draining = true;
        if (running.pending === 0) finishUp();
        return;
      case "abandon": // a pool ends the thread of a task that ignores its signal
      case "ping":
        tell({
          t: "pong",
          from: message.from,
          callId: message.callId,
          pending: beside.has(`${message.from}.${message.callId}`),
        });
        return;
      case "account":
        return; // a loop's
      default:
        message satisfies never;
    }
  };
  control.on("message", receive);
  tell({ t: "ready", links: lineageLinks(currentThread()) });
  // For ever: tinypool would give a thread whose task has ended to the next worker. It ends by being terminated.
  await new Promise<never>(() => undefined);
}

async function initialised(
  [, , ref, args, specials, context]: RunMessage,
  tell: (message: FromAgent) => void,
): Promise<boolean> {
  try {
    const fn = await findTask(ref);
    const vars =
      context === undefined ? undefined : (decodeValue(context.value, context.specials) as Record<string, unknown>);
    await runWithContext(vars, () => fn(...(decodeValue(args, specials) as unknown[])));
    return true;
  } catch (error) {
    tell({ t: "failed", error: encodeError(error) });
    return false;
  }
}
