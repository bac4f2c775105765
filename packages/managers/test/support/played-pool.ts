/**
 * A pool as the supervisor keeps it, without threads: each worker is played by the test, word by word and message by
 * message, so that what crosses can be made to cross. A test that uses it mocks "../src/pool/crew.ts" by played-crew.ts.
 */
import type { ThreadRecord } from "@duck-ts/runtime/internal";
import { onTestFinished } from "vitest";
import * as board from "../../src/board.ts";
import type { FromService, PoolSettings, QueuedTask } from "../../src/protocol.ts";
import type { HostContext } from "../../src/supervisor/host-api.ts";
import { PoolHost } from "../../src/supervisor/pool-host.ts";
import { ManagerRecord } from "../../src/supervisor/records.ts";
import { type PlayedThread, started } from "./played-crew.ts";

type Heard = { readonly to: number; readonly event: FromService };

let records = 0;

/** A thread that submits. */
export function submitter(): ThreadRecord {
  records += 1;
  return {
    id: records,
    alive: true,
    carriesPorts: true,
    bell: new Int32Array(2),
    links: [],
  } as unknown as ThreadRecord;
}

export function playPool(settings: Partial<PoolSettings> = {}, isBlocked = false) {
  const head = board.newHead();
  Atomics.store(head, board.STATE, board.RUNNING);
  const heard: Heard[] = [];
  const lines: ThreadRecord[] = [];
  const owner = [{ id: 0, name: "main", kind: "main" }] as const;
  const state = { ended: false };
  const context = {
    api: {
      execArgv: [],
      isBlocked: () => isBlocked,
      openLine: () => {
        const record = submitter();
        lines.push(record);
        return { record, port: undefined };
      },
      gone: () => undefined,
      written: (_thread: ThreadRecord, then: () => void) => then(),
    },
    manager: new ManagerRecord({ key: "0:thread:1", kind: "thread", id: "played", owner, head }),
    started: { epoch: 1, taskType: null, daemon: true, threadName: "played", abortGraceMs: 20 },
    urls: {},
    post: (thread: ThreadRecord | number, event: FromService) => {
      heard.push({ to: typeof thread === "number" ? thread : thread.id, event });
    },
    ended: () => {
      state.ended = true;
    },
  } as unknown as HostContext;
  const before = started.length;
  const host = new PoolHost(context, {
    maxWorkers: 1,
    minWorkers: 0,
    maxQueue: Number.POSITIVE_INFINITY,
    idleTimeoutMs: Number.POSITIVE_INFINITY,
    memoryLimitMb: Number.POSITIVE_INFINITY,
    workerInit: undefined,
    hosted: false,
    ...settings,
  });
  onTestFinished(() => {
    for (const thread of started.slice(before)) thread.ends({ reason: "terminated", exitCode: undefined });
    for (const { event } of heard) if (event.op === "connect") event.port.close();
  });
  let calls = 0;
  return {
    host,
    head,
    heard,
    state,
    /** The workers that the pool has started so far. */
    threads: () => started.slice(before),
    /** A worker as a thread that submits. */
    lineOf: (thread: PlayedThread) => lines[started.indexOf(thread) - before] as ThreadRecord,
    of: (op: FromService["op"]) => heard.filter(({ event }) => event.op === op),
    word: (index: number) => Atomics.load(head, index),
    /** A task of that thread comes by way of the queue. Returns its number. */
    submits(from: ThreadRecord, { moved = false } = {}): number {
      calls += 1;
      Atomics.add(head, board.OUTSTANDING, 1);
      Atomics.add(head, board.QUEUED, 1);
      host.submit(from, [queuedTask(calls, moved)], false);
      return calls;
    },
    /** A first worker is started as a task makes it start, and has nothing to do. */
    starts(): void {
      const other = submitter();
      this.submits(other);
      host.threadGone(other);
    },
    /** A thread sends back what a dead worker had of it. */
    sendsBack(from: ThreadRecord, ...callIds: readonly number[]): void {
      Atomics.add(head, board.QUEUED, callIds.length);
      host.submit(
        from,
        callIds.map((callId) => queuedTask(callId, false)),
        true,
      );
    },
    /** A thread that is connected takes or joins a worker's place for a task. Returns its number; `undefined`: refused. */
    sendsTo(thread: PlayedThread, from: ThreadRecord): number | undefined {
      const connect = heard.find(
        ({ to, event }) => to === from.id && event.op === "connect" && event.block === thread.block,
      );
      if (connect?.event.op !== "connect") throw new Error("it is not connected with that worker");
      const { block, seat } = connect.event;
      if (!board.takePlace(block, seat) && !board.joinPlace(block, seat, 100)) return undefined;
      Atomics.add(head, board.OUTSTANDING, 1);
      calls += 1;
      return calls;
    },
  };
}

function queuedTask(callId: number, moved: boolean): QueuedTask {
  return {
    message: ["run", callId, { name: "played" } as never, [], undefined, undefined, 0, undefined],
    timeoutMs: undefined,
    moved,
  };
}
