import { MessageChannel, type MessagePort, type Worker } from "node:worker_threads";
import {
  type Answerers,
  type EntryData,
  type FromWorker,
  newThreadBell,
  onceImported,
  spawnThread,
  type ThreadExit,
  type ThreadLink,
  type ThreadRecord,
  type WaitTarget,
  watchExit,
} from "@duck-ts/runtime/internal";
import * as board from "../board.ts";
import type { LoopData } from "../loop-agent.ts";
import type { FromAgent, QueuedTask, StopReport, ToAgent, ToService } from "../protocol.ts";
import type { HostContext, ManagerHost } from "./host-api.ts";
import { Watchdog } from "./watchdog.ts";

type LoopThread = {
  readonly worker: Worker;
  readonly control: MessagePort;
  readonly line: ThreadRecord;
  links: readonly ThreadLink[];
  readonly exit: ReturnType<typeof watchExit>;
  gone: boolean;
  readonly startedAt: number;
};

/** A question to the thread: whether its loop turns, and whether a cancelled task is still there. */
type Asked = { answered: boolean; pending: boolean };

/** A loop in the supervisor: its one thread, and what happens when it dies. */
export class LoopHost implements ManagerHost {
  readonly #context: HostContext;
  readonly #head: board.Words;
  readonly #watchdog = new Watchdog();
  /** Threads that have sent tasks to the thread there is, over a direct port or through us, with their counters. */
  readonly #ports = new Map<ThreadRecord, board.Words>();
  /** Cancelled tasks that the thread was asked about, by submitter and number. */
  readonly #asked = new Map<string, Asked>();
  #failedStarts = 0;
  #thread: LoopThread | undefined;
  #stopping: { resolve(report: StopReport): void; cancelledBefore: number; terminated: number } | undefined;
  #stopped: Promise<StopReport> | undefined;
  #stopBy = Number.POSITIVE_INFINITY;
  #over = false;

  constructor(context: HostContext) {
    this.#context = context;
    this.#head = context.manager.intro.head;
    this.#thread = this.#spawn();
  }

  connect(from: ThreadRecord, { port, bell, answers, words }: Extract<ToService, { op: "connect" }>): void {
    const running = this.#thread;
    // Before the port: a loop that runs may answer at once, and who has its answer knows its thread.
    if (running !== undefined) this.#tellUp(from, running);
    this.#tell({ t: "connect", from: from.id, port, bell, answers, words }, [port]);
    this.#ports.set(from, words);
    if (running === undefined && this.#thread !== undefined) this.#tellUp(from, this.#thread);
  }

  submit(from: ThreadRecord, tasks: readonly QueuedTask[]): void {
    for (const task of tasks) {
      Atomics.add(this.#account(from), board.PORT_SENT, 1);
      this.#tell({ t: "run", tasks: [{ from: from.id, message: task.message, ring: -1, open: 0, beside: false }] });
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
    this.#ask(thread, from.id, callId, this.#context.started.abortGraceMs);
  }

  /**
   * Asks the thread about a cancelled task, until that has begun and the loop turns all the same. Not once only: the
   * task comes on another port than the question, and its module may have to be imported first, so it may block the loop
   * long after that has answered.
   */
  #ask(thread: LoopThread, from: number, callId: number, patienceMs: number): void {
    if (this.#thread !== thread) return;
    const name = `${from}.${callId}`;
    const asked: Asked = { answered: false, pending: true };
    this.#asked.set(name, asked);
    this.#tell({ t: "ping", from, callId });
    this.#watchdog.watch(`grace:${name}`, patienceMs, () => {
      this.#asked.delete(name);
      if (this.#thread !== thread) return;
      if (asked.answered && !asked.pending) {
        this.#tell({ t: "abandon", from, callId });
        return;
      }
      // While it starts it cannot answer, and what was cancelled has not begun.
      const starting = thread.links.length === 0 && performance.now() - thread.startedAt < START_MS;
      if (asked.answered || starting) this.#ask(thread, from, callId, Math.min(1_000, Math.max(2 * patienceMs, 50)));
      else this.#terminate(thread);
    });
  }

  poke(): void {
    if (this.#stopping !== undefined) this.#tell({ t: "drain" });
  }

  stop({ wait, timeoutMs }: { wait: boolean; timeoutMs: number }): Promise<StopReport> {
    this.#beginStop();
    const until = performance.now() + (wait ? timeoutMs : 0);
    if (until < this.#stopBy) {
      // A second stop() can only bring the end nearer.
      this.#stopBy = until;
      this.#watchdog.watch("stop", wait ? timeoutMs : 0, () => this.#end());
    }
    if (this.#thread === undefined) this.#end();
    else this.#tell({ t: "drain" });
    return this.#stopped as Promise<StopReport>;
  }

  kill(): void {
    this.#beginStop();
    this.#end();
  }

  threadGone(_thread: ThreadRecord): void {
    // What it had sent runs on; its counters stay until the loop's thread ends.
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

  helpWaiting(): void {
    // A loop runs everything at once: a task that awaits another keeps nobody from running.
  }

  #beginStop(): void {
    this.#stopped ??= new Promise<StopReport>((resolve) => {
      board.beginStopping(this.#head); // unless whoever stops it has
      this.#stopping = {
        resolve,
        terminated: 0,
        cancelledBefore: Atomics.load(this.#head, board.CANCELLED),
      };
    });
  }

  #tellUp(submitter: ThreadRecord, { links }: LoopThread): void {
    if (links.length > 0) this.#context.post(submitter, { op: "up", key: this.#context.manager.intro.key, links });
  }

  /** The counters of a submitter that sends through us. */
  #account(from: ThreadRecord): board.Words {
    let words = this.#ports.get(from);
    if (words === undefined) {
      words = board.newPortWords();
      this.#tell({ t: "account", from: from.id, words });
      this.#ports.set(from, words);
      if (this.#thread !== undefined) this.#tellUp(from, this.#thread);
    }
    return words;
  }

  /** Gives the thread up at once and ends it as soon as it can be ended. */
  #terminate(thread: LoopThread): void {
    thread.exit.terminating();
    onceImported(thread.line.bell, () => void thread.worker.terminate());
    this.#exited(thread, { reason: "terminated", exitCode: undefined });
  }

  #tell(message: ToAgent, transfer?: readonly MessagePort[]): void {
    if (this.#over) return;
    this.#thread ??= this.#spawn();
    this.#thread.control.postMessage(message, transfer as never);
  }

  #spawn(): LoopThread {
    const { api, manager, started, urls } = this.#context;
    const bell = newThreadBell();
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
    const thread: LoopThread = {
      worker,
      control: port1,
      line: record,
      links: [],
      exit: watchExit(worker, (exit) => this.#exited(thread, exit)),
      gone: false,
      startedAt: performance.now(),
    };
    port1.on("message", (message: FromAgent) => this.#heard(thread, message));
    Atomics.store(this.#head, board.WORKERS, 1);
    return thread;
  }

  #heard(thread: LoopThread, message: FromAgent): void {
    switch (message.t) {
      case "ready":
        thread.links = message.links;
        for (const submitter of this.#ports.keys()) this.#tellUp(submitter, thread);
        this.#failedStarts = 0;
        return;
      case "answers":
        this.#context.post(message.to, {
          op: "answers",
          answers: message.answers as readonly FromWorker[],
          links: thread.links,
        });
        return;
      case "drained":
        // Another submitter's tasks may be on their way through us meanwhile.
        if (this.#isDrained()) this.#context.api.written(thread.line, () => this.#isDrained() && this.#end());
        return;
      case "pong": {
        const asked = this.#asked.get(`${message.from}.${message.callId}`);
        if (asked === undefined) return;
        asked.answered = true;
        asked.pending = message.pending;
        return;
      }
      case "failed":
      case "free":
      case "begun":
      case "left":
      case "recycle":
      case "besideEnded":
        return;
      default:
        message satisfies never;
    }
  }

  #isDrained(): boolean {
    return this.#stopping !== undefined && [...this.#ports.values()].every(board.isPortQuiet);
  }

  /** The thread has ended: every task that it had is lost. The next task finds a new one. */
  #exited(thread: LoopThread, exit: ThreadExit): void {
    if (thread.gone) return;
    thread.gone = true;
    if (this.#thread === thread) this.#thread = undefined;
    Atomics.store(this.#head, board.WORKERS, 0);
    if (!this.#over) {
      if (exit.reason !== "terminated") Atomics.add(this.#head, board.CRASHES, 1);
      Atomics.add(this.#head, board.REPLACEMENTS, 1);
    }
    for (const words of this.#ports.values()) {
      const { begun, waiting } = board.closePort(words);
      Atomics.sub(this.#head, board.OUTSTANDING, begun + waiting);
      Atomics.add(this.#head, board.FAILED, begun);
      if (this.#stopping === undefined) continue; // what had not begun goes to the next thread
      Atomics.add(this.#head, board.CANCELLED, waiting);
      this.#stopping.terminated += begun;
    }
    this.#context.api.gone(thread.line, exit);
    this.#tellGone(thread, exit);
    thread.control.close();
    if (thread.links.length === 0 && exit.reason !== "terminated") this.#failedStarts += 1;
    if (this.#failedStarts >= MAX_FAILED_STARTS) this.kill();
    if (this.#stopping !== undefined) this.#end();
  }

  #tellGone(thread: LoopThread, exit: ThreadExit): void {
    const worker =
      thread.links.length > 0
        ? thread.links
        : [{ id: thread.worker.threadId, name: this.#context.started.threadName, kind: "loop" as const }];
    for (const submitter of this.#ports.keys()) {
      this.#context.post(submitter, {
        op: "gone",
        key: this.#context.manager.intro.key,
        worker: 0,
        exit,
        links: worker,
      });
    }
    this.#ports.clear();
  }

  /** Ends the thread, whatever it does, and the host with it. */
  #end(): void {
    if (this.#over || this.#stopping === undefined) return;
    this.#over = true;
    this.#watchdog.clear();
    const thread = this.#thread;
    const { resolve, cancelledBefore } = this.#stopping;
    const stopping = this.#stopping;
    if (thread !== undefined) this.#terminate(thread);
    const completed = board.ended(this.#head) - Atomics.load(this.#head, board.ENDED_BEFORE);
    this.#context.ended();
    resolve({
      completed: Math.max(0, completed - stopping.terminated),
      cancelled: Atomics.load(this.#head, board.CANCELLED) - cancelledBefore,
      terminated: stopping.terminated,
    });
  }
}

/** So many threads in a row that end before they are up, and there is no sense in starting another. */
const MAX_FAILED_STARTS = 3;

/** How long a thread may take to come up before its silence counts. */
const START_MS = 10_000;
