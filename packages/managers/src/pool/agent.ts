/** What runs in each worker of a pool, for as long as the worker lives: tinypool's one task. */
import { performance } from "node:perf_hooks"; // the global one is a getter, and a test may have replaced it
import { getHeapStatistics } from "node:v8";
import type { MessagePort } from "node:worker_threads";
import { TaskCancelledError } from "@duck-ts/runtime";
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
  isUp,
  type Job,
  lineageLinks,
  type RunMessage,
  runWithContext,
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
  /** See board.ts: claims, and what the supervisor must know of the running task when the thread dies. */
  readonly block: board.Words;
  /** Whether the pool never has another worker. */
  readonly isOnly: boolean;
  readonly workerInit: RunMessage | undefined;
  readonly memoryLimitMb: number;
};

/** Whether this thread's heap and buffers pass the limit. Looked at after every task: it costs less than a microsecond. */
function isTooLarge(limitMb: number): boolean {
  if (limitMb === Number.POSITIVE_INFINITY) return false;
  const { used_heap_size, external_memory } = getHeapStatistics();
  return (used_heap_size + external_memory) / 1048576 > limitMb;
}

export default async function agent(data: AgentData): Promise<void> {
  adoptIdentity(data.identity);
  adoptBell(data.bell);
  adoptLine(data.line);
  isUp();
  ownExecutor().key = data.key;
  tolerateScripts();
  const { control, head, block } = data;
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

  let recycling = false;
  let draining = false;
  /** The submitters' inboxes, by their numbers here. */
  const seats = new Map<number, Inbox>();
  /** Numbers of submitters that have ended. */
  const leaving = new Set<number>();
  const letLeave = (): void => {
    const place = Atomics.load(block, board.PLACE);
    for (const seat of leaving) {
      if (board.tasksBefore(place) > 0 && board.seatOf(place) === seat) continue;
      leaving.delete(seat);
      seats.delete(seat);
      tell({ t: "left", seat });
    }
  };
  const finishUp = (): void => {
    if (draining && !running.busy) tell({ t: "drained" });
  };
  const idle = (): void => {
    Atomics.store(block, board.RUN_STATE, board.RUN_NONE);
    if (leaving.size > 0) letLeave();
    if (recycling || draining) {
      finishUp();
      return;
    }
    const place = Atomics.load(block, board.PLACE);
    if (board.tasksBefore(place) > 0) {
      // A submitter's tasks are on their way, unless it has died before it sent them.
      if (seats.get(board.seatOf(place))?.closed === true) forgetUnsent();
      return;
    }
    Atomics.store(block, board.TAKEN_CALL, 0);
    if (board.stateOf(place) >= board.TAKEN && !board.movePlace(block, place, board.FREE)) return; // one more is on its way
    // Whoever queues a task counts it first and looks for a free place then; we do it the other way round. So one of us sees it.
    if (Atomics.load(head, board.QUEUED) === 0 && Atomics.load(head, board.AHEAD) === 0) return;
    if (board.movePlace(block, board.FREE, board.HELD)) tell({ t: "free" });
  };
  /** The submitter that has the place is dead, and what it counted there never came. */
  const forgetUnsent = (): void => {
    for (let left = board.tasksBefore(Atomics.load(block, board.PLACE)); left > 0; left--) {
      board.leavePlace(block);
      Atomics.add(head, board.CANCELLED, 1);
      Atomics.sub(head, board.OUTSTANDING, 1);
    }
    idle();
  };
  /** From here on the thread's death is this task's end too. The answer of the task before it has left. */
  const takeTurn = (from: number, callId: number): void => {
    Atomics.store(block, board.RUN_STATE, board.RUN_NONE);
    Atomics.store(block, board.RUN_THREAD, from);
    Atomics.store(block, board.RUN_CALL, callId);
    Atomics.store(block, board.RUN_STATE, board.RUN_RUNNING);
    Atomics.add(head, board.ACTIVE, 1);
  };
  /** The end of the turn, if it is ours to count. */
  const endTurn = (as: number): boolean => {
    if (Atomics.compareExchange(block, board.RUN_STATE, board.RUN_RUNNING, as) !== board.RUN_RUNNING) return false;
    Atomics.sub(head, board.ACTIVE, 1);
    return true;
  };
  /** The last task that was not run because the pool ends. */
  let refused: Job | undefined;
  const running = new Host("sequential", {
    // What the supervisor has given was submitted before; where it is still on its way, it comes with a message.
    mayBegin: data.isOnly ? () => Atomics.load(head, board.AHEAD) === 0 : undefined,
    // A thread dies some time after it was given up: one that imports, up to five seconds later (see crew.ts).
    givenUp: () => board.stateOf(Atomics.load(block, board.PLACE)) === board.EMPTY,
    refuse(job) {
      if (!isDirect(job)) return undefined;
      const gone = Atomics.load(block, board.GONE_SEAT);
      if (gone > 0 && seats.get(gone - 1) === job.inbox)
        return new TaskCancelledError("The thread that submitted it has ended.");
      if (Atomics.load(block, board.REFUSING) === 0) return undefined;
      refused = job;
      return new TaskCancelledError("The task was cancelled: the pool was stopped without waiting.");
    },
    taken(job) {
      if (job.beside || job.claim !== undefined) return; // beside the turn, or it has its turn since the claim
      takeTurn(job.inbox.from, job.callId);
      Atomics.store(block, board.TAKEN_CALL, job.callId);
    },
    started(job) {
      if (!job.beside) board.record(head, board.WAIT_HISTOGRAM, Math.max(0, Date.now() - job.submittedAt));
    },
    ended(job, ok) {
      if (job.beside) {
        const { from } = job.inbox;
        // In a microtask: its answer leaves first. It is counted over there.
        queueMicrotask(() => tell({ t: "besideEnded", from, callId: job.callId, ok }));
        return;
      }
      if (isDirect(job)) board.leavePlace(block);
      // RUN_CALL stays until the answer has left: to clone it runs getters, takes memory, and so may end the thread.
      if (endTurn(board.RUN_COUNTED)) {
        Atomics.add(head, ok ? board.COMPLETED : board.FAILED, 1);
        Atomics.sub(head, board.OUTSTANDING, 1);
      }
      const took = performance.now() - job.startedAt;
      board.record(head, board.RUN_HISTOGRAM, took);
      const recent = Atomics.load(block, board.RECENT_US);
      const us = Math.max(1, Math.min(2 ** 30, Math.round(took * 1000)));
      Atomics.store(block, board.RECENT_US, recent === 0 ? us : Math.round(recent * 0.8 + us * 0.2));
      if (!recycling && isTooLarge(data.memoryLimitMb)) {
        recycling = true;
        running.pause();
        tell({ t: "recycle" });
      }
    },
    dropped(job) {
      if (job === refused) board.leaveRefused(block);
      else if (isDirect(job)) board.leavePlace(block);
      else endTurn(board.RUN_NONE);
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
  const take = ({ from, message: run, ring: word, open, beside }: AgentTask): void => {
    if (beside) {
      running.runBeside(inboxOf(from), run);
      return;
    }
    running.receiveClaimable(inboxOf(from), run, () => {
      // First the turn, then the claim: a thread that dies in between leaves a task that can be taken back.
      takeTurn(from, run[1]);
      if (Atomics.compareExchange(block, word, open, RING_BEGUN) !== open) {
        endTurn(board.RUN_NONE);
        return false;
      }
      Atomics.sub(head, board.AHEAD, 1);
      return true;
    });
  };
  const receive = (message: ToAgent): void => {
    switch (message.t) {
      case "connect": {
        const inbox = Inbox.onPort(message.from, message.port, message.bell, message.answers);
        inboxes.set(message.from, inbox);
        const { from, seat } = message;
        if (seat !== undefined) {
          seats.set(seat, inbox);
          Atomics.compareExchange(block, board.GONE_SEAT, seat + 1, 0); // it was another's, who has ended
        }
        inbox.serve(message.port, (batch) => void running.receive(inbox, batch));
        // Its thread is dead, and all that it posted was delivered: what has not begun is dropped.
        message.port.on("close", () => {
          inbox.closed = true;
          if (inboxes.get(from) === inbox) inboxes.delete(from);
          if (seat !== undefined) leaving.add(seat);
          if (running.pending === 0) idle();
          letLeave();
        });
        return;
      }
      case "run":
        // Given to a worker that has just become free: no submitter may take it meanwhile.
        board.movePlace(block, board.FREE, board.HELD);
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
        running.pause();
        finishUp();
        return;
      case "ping":
        tell({
          t: "pong",
          from: message.from,
          callId: message.callId,
          pending: running.job(message.from, message.callId)?.beside === true,
        });
        return;
      case "abandon": // a pool ends the thread of a task that ignores its signal
      case "account":
        return; // for loops
      default:
        message satisfies never;
    }
  };
  control.on("message", receive);
  tell({ t: "ready", links: lineageLinks(currentThread()) });
  // For ever: tinypool would give a thread whose task has ended to the next worker. It ends by being terminated.
  await new Promise<never>(() => undefined);
}

/** Whether its submitter sent it here itself. */
function isDirect(job: Job): boolean {
  return job.order >= 0;
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
