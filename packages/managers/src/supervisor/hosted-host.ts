import type { Answerers, FromWorker, ThreadRecord, WaitTarget } from "@duck-ts/runtime/internal";
import * as board from "../board.ts";
import type { QueuedTask, StopReport } from "../protocol.ts";
import type { HostContext, ManagerHost } from "./host-api.ts";
import { Watchdog } from "./watchdog.ts";

/** A task in a worker. `awaits`: it has begun and needs that worker's event loop, which stands still while it blocks. */
type OpenTask = { readonly from: ThreadRecord; readonly worker: ThreadRecord; awaits: boolean };

/**
 * The supervisor's view of a pool that its owner hosts itself. Its workers are the owner's business; tasks that other
 * threads submit to it run in one of them, beside what the owner gives them: a synchronous one also where that worker
 * stands still in a wait, since what a blocked thread is told it hears.
 */
export class HostedHost implements ManagerHost {
  readonly #context: HostContext;
  readonly #head: board.Words;
  readonly #watchdog = new Watchdog();
  readonly #open = new Map<string, OpenTask>();
  #turn = 0;

  constructor(context: HostContext) {
    this.#context = context;
    this.#head = context.manager.intro.head;
  }

  submit(from: ThreadRecord, tasks: readonly QueuedTask[]): void {
    for (const { message, timeoutMs } of tasks) {
      const callId = message[1];
      Atomics.sub(this.#head, board.QUEUED, 1);
      const worker = this.#workerFor(from);
      if (worker === undefined) {
        this.#count(board.CANCELLED);
        this.#context.post(from, { op: "dropped", callId, why: "its pool has no worker that is up" });
        continue;
      }
      this.#open.set(`${from.id}.${callId}`, { from, worker, awaits: false });
      Atomics.add(this.#head, board.ACTIVE, 1);
      if (timeoutMs !== undefined) this.watch(from, callId, timeoutMs);
      worker.post({ t: "event", service: "managers", body: { op: "runHosted", from: from.id, message } });
    }
  }

  answered(to: number, answers: readonly FromWorker[]): void {
    for (const answer of answers) {
      const name = `${to}.${answer[1]}`;
      const open = this.#open.get(name);
      if (open === undefined) continue;
      this.#open.delete(name);
      this.#context.post(open.from, { op: "answers", answers: [answer], links: open.worker.links });
    }
  }

  awaits(from: number, callId: number): void {
    const open = this.#open.get(`${from}.${callId}`);
    if (open === undefined) return;
    open.awaits = true;
    this.#context.api.recheckWaits();
  }

  ended(ok: boolean): void {
    Atomics.sub(this.#head, board.ACTIVE, 1);
    this.#count(ok ? board.COMPLETED : board.FAILED);
  }

  watch(from: ThreadRecord, callId: number, timeoutMs: number): void {
    this.#watchdog.watch(`${from.id}.${callId}`, timeoutMs, () => {
      this.#context.post(from, { op: "expired", callId, timeoutMs });
      this.cancel(from, callId);
    });
  }

  done(from: ThreadRecord, callId: number): void {
    this.#watchdog.callOff(`${from.id}.${callId}`);
  }

  /** The result is not waited for any more. The worker belongs to its owner, and to the requests it serves. */
  cancel(from: ThreadRecord, callId: number): void {
    // It stays in the books until its thread says that it has ended, or ends itself; its answer meets no future.
    this.#watchdog.callOff(`${from.id}.${callId}`);
  }

  stop(): Promise<StopReport> {
    const cancelled = this.#open.size;
    this.kill("its pool was stopped");
    return Promise.resolve({ completed: 0, cancelled, terminated: 0 });
  }

  kill(why: string): void {
    for (const [name, { from }] of this.#open)
      this.#context.post(from, { op: "dropped", callId: Number(name.split(".")[1]), why });
    this.#open.clear();
    this.#watchdog.clear();
    Atomics.store(this.#head, board.OUTSTANDING, 0);
    Atomics.store(this.#head, board.ACTIVE, 0);
    this.#context.ended();
  }

  threadGone(thread: ThreadRecord): void {
    for (const [name, { from, worker }] of this.#open) {
      if (worker !== thread) continue;
      this.#open.delete(name);
      this.ended(false);
      this.#context.post(from, {
        op: "lost",
        callId: Number(name.split(".")[1]),
        exit: { reason: "terminated", exitCode: undefined },
        thread: thread.info?.name ?? "?",
      });
    }
  }

  answerers({ callId }: Extract<WaitTarget, { on: "task" }>, waiter: number): Answerers {
    const open = this.#open.get(`${waiter}.${callId}`);
    return open?.awaits === true ? { live: false, anyOf: [open.worker.id] } : { live: true };
  }

  helpWaiting(): void {
    // Its workers run everything at once.
  }

  threadIds(): number[] {
    return this.#workers().map((worker) => worker.id);
  }

  utilization(): number {
    return 0;
  }

  /** In turns; rather not one that stands still, and the submitter's own, which is about to, only if there is no other. */
  #workerFor(from: ThreadRecord): ThreadRecord | undefined {
    const workers = this.#workers();
    const others = workers.filter((worker) => worker !== from);
    const turning = others.filter((worker) => !this.#context.api.isBlocked(worker.id));
    const choice = [turning, others, workers].find(({ length }) => length > 0) ?? [];
    return choice[this.#turn++ % Math.max(1, choice.length)];
  }

  #workers(): ThreadRecord[] {
    const owner = this.#context.manager.ownerId;
    return [...this.#context.api.threads()].filter(
      (thread) => thread.info?.kind === "request" && thread.info.parent?.id === owner,
    );
  }

  #count(as: number): void {
    Atomics.add(this.#head, as, 1);
    Atomics.sub(this.#head, board.OUTSTANDING, 1);
  }
}
