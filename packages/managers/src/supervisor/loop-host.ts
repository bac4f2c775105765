import { MessageChannel, type MessagePort, type Worker } from "node:worker_threads";
import { type Answerers, type EntryData, type FromWorker, spawnThread, type ThreadExit, type ThreadLink, type ThreadRecord, watchExit, type Wait, type WaitTarget } from "@duck-ts/runtime/internal";
import * as board from "../board.ts";
import type { LoopData } from "../loop-agent.ts";
import type { FromAgent, QueuedTask, StopReport, ToAgent } from "../protocol.ts";
import type { HostContext, ManagerHost } from "./host-api.ts";
import { Watchdog } from "./watchdog.ts";

type LoopThread = { readonly worker: Worker; readonly control: MessagePort; readonly line: ThreadRecord; links: readonly ThreadLink[]; readonly exit: ReturnType<typeof watchExit>; heard: boolean; gone: boolean };

/** A loop in the supervisor: its one thread, and what happens when it dies. */
export class LoopHost implements ManagerHost {
  readonly #context: HostContext;
  readonly #head: board.Words;
  readonly #watchdog = new Watchdog();
  /** Threads that have sent tasks, over a direct port or through us. */
  readonly #submitters = new Set<ThreadRecord>();
  #thread: LoopThread | undefined;
  #stopping: { resolve(report: StopReport): void; completedBefore: number; cancelledBefore: number; terminated: number } | undefined;
  #stopped: Promise<StopReport> | undefined;
  #over = false;

  constructor(context: HostContext) {
    this.#context = context;
    this.#head = context.manager.intro.head;
    this.#thread = this.#spawn();
  }

  connect(from: ThreadRecord, port: MessagePort, bell: Int32Array, begun: Int32Array): void {
    this.#submitters.add(from);
    this.#tell({ t: "connect", from: from.id, port, bell, begun }, [port]);
  }

  submit(from: ThreadRecord, tasks: readonly QueuedTask[]): void {
    this.#submitters.add(from);
    for (const task of tasks) {
      this.#tell({ t: "run", tasks: [{ from: from.id, message: task.message, ring: -1, beside: false }] });
      if (task.timeoutMs !== undefined) this.watch(from, task.message[1], task.timeoutMs);
    }
  }

  watch(from: ThreadRecord, callId: number, timeoutMs: number): void {
    this.#watchdog.watch(`${from.id}.${callId}`, timeoutMs, () => {
      this.#context.post(from, { op: "expired", callId, timeoutMs });
      this.cancel(from, callId, undefined);
    });
  }

  done(from: ThreadRecord, callId: number): void {
    this.#watchdog.callOff(`${from.id}.${callId}`);
  }

  /**
   * Aborts the task's signal. Its neighbours share the thread, so the thread is only replaced when its loop does not
   * turn any more: then the neighbours are stuck too. A task that ignores its signal on a healthy loop is left alone.
   */
  cancel(from: ThreadRecord, callId: number, reason: unknown): void {
    this.#watchdog.callOff(`${from.id}.${callId}`);
    const thread = this.#thread;
    if (thread === undefined) return;
    this.#tell({ t: "cancel", from: from.id, callId, reason });
    thread.heard = false;
    this.#tell({ t: "ping" });
    this.#watchdog.watch(`grace:${from.id}.${callId}`, this.#context.started.abortGraceMs, () => {
      if (this.#thread !== thread || thread.heard) return;
      thread.exit.terminating();
      this.#exited(thread, { reason: "terminated", exitCode: undefined });
      void thread.worker.terminate();
    });
  }

  poke(): void {
    if (this.#stopping !== undefined) this.#tell({ t: "drain" });
  }

  stop({ wait, timeoutMs }: { wait: boolean; timeoutMs: number }): Promise<StopReport> {
    this.#beginStop();
    this.#watchdog.watch("stop", wait ? timeoutMs : 0, () => this.#end());
    this.#tell({ t: "drain" });
    if (this.#thread === undefined) this.#end();
    return this.#stopped as Promise<StopReport>;
  }

  kill(): void {
    this.#beginStop();
    this.#end();
  }

  threadGone(thread: ThreadRecord): void {
    this.#submitters.delete(thread);
  }

  threadIds(): number[] {
    const thread = this.#thread;
    return thread === undefined || thread.links.length === 0 ? [] : [thread.line.id];
  }

  utilization(): number {
    return this.#thread?.worker.performance.eventLoopUtilization().utilization ?? 0;
  }

  answerers(_target: Extract<WaitTarget, { on: "task" }>): Answerers {
    const ids = this.threadIds();
    return ids.length === 0 ? { live: true } : { live: false, anyOf: ids };
  }

  waiting(_thread: ThreadRecord, _wait: Wait): void {
    // A loop runs everything at once: a task that awaits another keeps nobody from running.
  }

  #beginStop(): void {
    this.#stopped ??= new Promise<StopReport>((resolve) => {
      this.#stopping = {
        resolve,
        terminated: 0,
        completedBefore: Atomics.load(this.#head, board.COMPLETED) + Atomics.load(this.#head, board.FAILED),
        cancelledBefore: Atomics.load(this.#head, board.CANCELLED),
      };
    });
  }

  #tell(message: ToAgent, transfer?: readonly MessagePort[]): void {
    if (this.#over) return;
    this.#thread ??= this.#spawn();
    this.#thread.control.postMessage(message, transfer as never);
  }

  #spawn(): LoopThread {
    const { api, manager, started, urls } = this.#context;
    const bell = new Int32Array(new SharedArrayBuffer(8));
    const { record, port } = api.openLine(bell);
    const { port1, port2 } = new MessageChannel();
    const data: LoopData = { control: port2, key: manager.intro.key, head: this.#head };
    const entry: EntryData = { line: port, bell, module: urls.loopAgent.href, data };
    const worker = spawnThread(urls.entry, {
      identity: { name: started.threadName, kind: "loop", ancestors: manager.intro.owner, root: api.root },
      data: entry,
      transfer: [port, port2],
      resourceLimits: started.resourceLimits,
      execArgv: api.execArgv,
    });
    worker.unref();
    const thread: LoopThread = { worker, control: port1, line: record, links: [], exit: watchExit(worker, (exit) => this.#exited(thread, exit)), heard: true, gone: false };
    port1.on("message", (message: FromAgent) => this.#heard(thread, message));
    Atomics.store(this.#head, board.WORKERS, 1);
    return thread;
  }

  #heard(thread: LoopThread, message: FromAgent): void {
    switch (message.t) {
      case "ready":
        thread.links = message.links;
        return;
      case "answers":
        this.#context.post(message.to, { op: "answers", answers: message.answers as readonly FromWorker[], worker: thread.links });
        return;
      case "drained":
        if (this.#stopping !== undefined && Atomics.load(this.#head, board.OUTSTANDING) === 0) this.#end();
        return;
      case "pong":
        thread.heard = true;
        return;
      case "failed":
      case "free":
      case "begun":
      case "recycle":
        return;
      default:
        message satisfies never;
    }
  }

  /** The thread has ended: every task that it had is lost. The next task finds a new one. */
  #exited(thread: LoopThread, exit: ThreadExit): void {
    if (thread.gone) return;
    thread.gone = true;
    if (this.#thread === thread) this.#thread = undefined;
    Atomics.store(this.#head, board.WORKERS, 0);
    if (!this.#over) {
      Atomics.add(this.#head, board.CRASHES, 1);
      Atomics.add(this.#head, board.REPLACEMENTS, 1);
    }
    const lost = Atomics.exchange(this.#head, board.OUTSTANDING, 0);
    Atomics.add(this.#head, board.FAILED, lost);
    if (this.#stopping !== undefined) this.#stopping.terminated += lost;
    this.#context.api.gone(thread.line, exit);
    this.#tellGone(thread, exit);
    thread.control.close();
    if (this.#stopping !== undefined) this.#end();
  }

  #tellGone(thread: LoopThread, exit: ThreadExit): void {
    const worker = thread.links.length > 0 ? thread.links : [{ id: thread.worker.threadId, name: this.#context.started.threadName, kind: "loop" as const }];
    for (const submitter of this.#submitters) {
      this.#context.post(submitter, { op: "gone", key: this.#context.manager.intro.key, slot: 0, generation: 0, exit, worker, runThread: -1, runCall: 0 });
    }
    this.#submitters.clear();
  }

  /** Ends the thread, whatever it does, and the host with it. */
  #end(): void {
    if (this.#over || this.#stopping === undefined) return;
    this.#over = true;
    this.#watchdog.clear();
    const thread = this.#thread;
    const { resolve, completedBefore, cancelledBefore } = this.#stopping;
    const stopping = this.#stopping;
    if (thread !== undefined) {
      thread.exit.terminating();
      this.#exited(thread, { reason: "terminated", exitCode: undefined });
      void thread.worker.terminate();
    }
    const ended = Atomics.load(this.#head, board.COMPLETED) + Atomics.load(this.#head, board.FAILED);
    this.#context.ended();
    resolve({
      completed: Math.max(0, ended - completedBefore - stopping.terminated),
      cancelled: Atomics.load(this.#head, board.CANCELLED) - cancelledBefore,
      terminated: stopping.terminated,
    });
  }
}

