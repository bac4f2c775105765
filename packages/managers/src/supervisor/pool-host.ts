import { MessageChannel, type MessagePort } from "node:worker_threads";
import {
  type Answerers,
  decodeThrown,
  logger,
  type ThreadExit,
  type ThreadLink,
  type ThreadRecord,
  type WaitTarget,
} from "@duck-ts/runtime/internal";
import * as board from "../board.ts";
import type { AgentData } from "../pool/agent.ts";
import { giveAhead } from "../pool/ahead.ts";
import { Crew, type CrewMember } from "../pool/crew.ts";
import { Fifo } from "../pool/fifo.ts";
import {
  type AgentTask,
  type FromAgent,
  type PoolSettings,
  type QueuedTask,
  RING,
  RING_TAKEN_BACK,
  type StopReport,
  type ToAgent,
} from "../protocol.ts";
import type { HostContext, ManagerHost } from "./host-api.ts";
import { Watchdog } from "./watchdog.ts";

type Queued = { readonly from: ThreadRecord; readonly task: QueuedTask };

type Given = Queued & { readonly ring: number; readonly open: number };

type Worker = {
  readonly slot: number;
  readonly generation: number;
  readonly control: MessagePort;
  readonly ring: Int32Array;
  readonly member: CrewMember;
  readonly line: ThreadRecord;
  links: readonly ThreadLink[];
  /** Tasks it was given over the control port and has not begun, as far as is known, and the one it began last. */
  given: Given[];
  /** Tasks that run there beside the one whose turn it is, because that one awaits them. */
  readonly besides: Queued[];
  /** Whether it has answered since it was last asked. */
  heard: boolean;
  nextTicket: number;
  /** Words of the claim ring that no given task uses. */
  readonly freeWords: number[];
  connected: Set<number>;
  state: "starting" | "ready" | "retiring" | "gone";
  idleTimer: NodeJS.Timeout | undefined;
};

/** A pool in the supervisor: its queue, its workers, and what happens when one of them dies. */
export class PoolHost implements ManagerHost {
  readonly #context: HostContext;
  readonly #settings: PoolSettings;
  readonly #head: board.Words;
  readonly #slots: board.Words;
  readonly #crew: Crew;
  readonly #queue = new Fifo<Queued>();
  readonly #workers: (Worker | undefined)[];
  readonly #generations: number[];
  readonly #submitters = new Set<ThreadRecord>();
  readonly #watchdog = new Watchdog();
  #failedStarts = 0;
  #whyNoStart: string | undefined;
  #names = 0;
  #stopping:
    | { resolve(report: StopReport): void; cancelled: number; terminated: number; completedBefore: number }
    | undefined;
  #stopped: Promise<StopReport> | undefined;
  #stopBy = Number.POSITIVE_INFINITY;

  constructor(context: HostContext, settings: PoolSettings) {
    this.#context = context;
    this.#settings = settings;
    this.#head = context.manager.intro.head;
    this.#slots = settings.slots;
    this.#workers = new Array<Worker | undefined>(settings.maxWorkers).fill(undefined);
    this.#generations = new Array<number>(settings.maxWorkers).fill(0);
    this.#crew = new Crew({
      agent: context.urls.poolAgent,
      resourceLimits: context.started.resourceLimits,
      execArgv: context.api.execArgv,
      // Threads in native calls outlive their termination: their places are taken while they are still there.
      maxThreads: settings.maxWorkers * 4 + 4,
    });
    for (let i = 0; i < settings.minWorkers; i++) this.#spawn();
  }

  submit(from: ThreadRecord, tasks: readonly QueuedTask[]): void {
    if (from.carriesPorts && !this.#submitters.has(from)) {
      this.#submitters.add(from);
      for (const worker of this.#workers) if (worker?.state === "ready") this.#connect(worker, from);
    }
    for (const task of tasks) {
      const callId = task.message[1];
      this.#queue.push({ from, task });
      if (task.timeoutMs !== undefined) this.watch(from, callId, task.timeoutMs);
    }
    this.#dispatch();
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

  cancel(from: ThreadRecord, callId: number, reason: unknown): void {
    this.#watchdog.callOff(`${from.id}.${callId}`);
    const fits = (item: Queued): boolean => item.from === from && item.task.message[1] === callId;
    if (this.#queue.remove(fits) !== undefined) {
      Atomics.sub(this.#head, board.QUEUED, 1);
      this.#count(board.CANCELLED);
      this.#maybeStopped();
      return;
    }
    for (const worker of this.#workers) {
      if (worker === undefined) continue;
      const given = worker.given.find(fits);
      if (given !== undefined && this.#takeBack(worker, given)) {
        this.#count(board.CANCELLED);
        return;
      }
      const beside = worker.besides.some(fits);
      if (given === undefined && !beside && !this.#runs(worker, from.id, callId)) continue;
      worker.heard = false;
      worker.control.postMessage({ t: "cancel", from: from.id, callId, reason } satisfies ToAgent);
      if (beside) worker.control.postMessage({ t: "ping", from: from.id, callId } satisfies ToAgent);
    }
    // Which worker has it is looked up when the grace is over: one that it was handed directly may not have begun yet.
    const look = (): void => {
      for (const worker of this.#workers) {
        if (worker === undefined) continue;
        // A task beside others that leaves the event loop alone harms nobody: it must not take them with it.
        const stuck = !worker.heard && worker.besides.some(fits);
        if (stuck || this.#runs(worker, from.id, callId)) worker.member.terminate();
      }
    };
    const { abortGraceMs } = this.#context.started;
    const name = `grace:${from.id}.${callId}`;
    this.#watchdog.watch(name, abortGraceMs, () => {
      look();
      this.#watchdog.watch(name, Math.max(abortGraceMs, SECOND_LOOK_MS), look);
    });
  }

  /** Gives a queued task back to its submitter, which will run it itself. */
  reclaim(from: ThreadRecord, callId: number): boolean {
    const fits = (item: Queued): boolean => item.from === from && item.task.message[1] === callId;
    if (this.#queue.remove(fits) !== undefined) {
      Atomics.sub(this.#head, board.QUEUED, 1);
      return true;
    }
    for (const worker of this.#workers) {
      const given = worker?.given.find(fits);
      if (worker !== undefined && given !== undefined && this.#takeBack(worker, given)) return true;
    }
    return false;
  }

  /**
   * A task in some thread has begun to await another. If that keeps one of our workers waiting, directly or through
   * tasks of other managers, for a task that is queued here, then that task runs in this worker, beside the one that
   * waits: a pool can never wait for itself. `awaited` tells for whom a task waits.
   */
  helpWaiting(awaited: (task: string) => Iterable<string>): void {
    if (this.#queue.length === 0 && Atomics.load(this.#head, board.AHEAD) === 0) return;
    for (const worker of this.#workers) {
      if (worker?.state !== "ready" || this.#context.api.isBlocked(worker.line.id)) continue;
      const roots = worker.besides.map(({ from, task }) => `${from.id}.${task.message[1]}`);
      if (Atomics.load(worker.ring, board.RUN_STATE) === board.RUN_RUNNING) {
        roots.push(`${Atomics.load(worker.ring, board.RUN_THREAD)}.${Atomics.load(worker.ring, board.RUN_CALL)}`);
      }
      for (const root of roots) {
        for (const task of awaited(root)) {
          const item = this.#takeOut(task);
          if (item !== undefined) this.#runBeside(worker, item);
        }
      }
    }
  }

  poke(): void {
    this.#dispatch();
    this.#maybeStopped();
  }

  stop({ wait, timeoutMs }: { wait: boolean; timeoutMs: number }): Promise<StopReport> {
    this.#stopped ??= new Promise<StopReport>((resolve) => {
      this.#stopping = { resolve, cancelled: 0, terminated: 0, completedBefore: this.#ended() };
    });
    if (!wait) this.#cancelQueue("the pool was stopped without waiting");
    const until = performance.now() + timeoutMs;
    if (until < this.#stopBy) {
      // A second stop() can only bring the end nearer.
      this.#stopBy = until;
      this.#watchdog.watch("stop", timeoutMs, () => this.#endNow("the pool was stopped and its time was over"));
    }
    this.#dispatch();
    this.#maybeStopped();
    return this.#stopped;
  }

  kill(why: string): void {
    this.#stopped ??= new Promise<StopReport>((resolve) => {
      this.#stopping = { resolve, cancelled: 0, terminated: 0, completedBefore: this.#ended() };
    });
    this.#endNow(why);
  }

  threadGone(thread: ThreadRecord): void {
    this.#submitters.delete(thread);
    for (
      let item = this.#queue.remove((queued) => queued.from === thread);
      item !== undefined;
      item = this.#queue.remove((queued) => queued.from === thread)
    ) {
      Atomics.sub(this.#head, board.QUEUED, 1);
      this.#count(board.CANCELLED);
    }
    for (const worker of this.#workers) worker?.connected.delete(thread.id);
    this.#maybeStopped();
  }

  threadIds(): number[] {
    return this.#workers.flatMap((worker) => (worker?.state === "ready" ? [worker.line.id] : []));
  }

  utilization(): number {
    const busy = this.#workers.filter(
      (worker) => worker !== undefined && this.#slotState(worker) !== board.FREE,
    ).length;
    return busy / this.#settings.maxWorkers;
  }

  answerers({ callId }: Extract<WaitTarget, { on: "task" }>, waiter: number): Answerers {
    for (const worker of this.#workers) {
      if (worker !== undefined && this.#runs(worker, waiter, callId)) return { live: false, anyOf: [worker.line.id] };
    }
    const waits = (item: Queued): boolean => item.from.id === waiter && item.task.message[1] === callId;
    const queued =
      this.#queue.has(waits) ||
      this.#workers.some((worker) => worker?.given.some((given) => waits(given) && this.#isOpen(worker, given)));
    if (!queued) return { live: true }; // on its way, or its answer is
    const anyOf: number[] = [];
    for (const worker of this.#workers) {
      if (worker === undefined || worker.state !== "ready" || this.#slotState(worker) === board.FREE)
        return { live: true };
      anyOf.push(worker.line.id);
    }
    return { live: false, anyOf };
  }

  /** Takes a task that has not begun from wherever it waits. */
  #takeOut(task: string): Queued | undefined {
    const fits = (item: Queued): boolean => `${item.from.id}.${item.task.message[1]}` === task;
    const queued = this.#queue.remove(fits);
    if (queued !== undefined) {
      Atomics.sub(this.#head, board.QUEUED, 1);
      return queued;
    }
    for (const worker of this.#workers) {
      const given = worker?.given.find(fits);
      if (worker !== undefined && given !== undefined && this.#takeBack(worker, given)) return given;
    }
    return undefined;
  }

  #runBeside(worker: Worker, item: Queued): void {
    worker.besides.push({ from: item.from, task: item.task });
    const task: AgentTask = { from: item.from.id, message: item.task.message, ring: -1, open: 0, beside: true };
    worker.control.postMessage({ t: "run", tasks: [task] } satisfies ToAgent, transferables(item.task));
  }

  #activeWorkers(): number {
    return this.#workers.filter((worker) => worker !== undefined).length;
  }

  #ended(): number {
    return Atomics.load(this.#head, board.COMPLETED) + Atomics.load(this.#head, board.FAILED);
  }

  #slotState(worker: Worker): number {
    return Atomics.load(this.#slots, worker.slot * board.SLOT_WORDS + board.SLOT_STATE) & 3;
  }

  #runs(worker: Worker, thread: number, callId: number): boolean {
    const { ring } = worker;
    return (
      Atomics.load(ring, board.RUN_STATE) === board.RUN_RUNNING &&
      Atomics.load(ring, board.RUN_CALL) === callId &&
      Atomics.load(ring, board.RUN_THREAD) === thread
    );
  }

  /** Counts the end of a task that no worker will count. */
  #count(as: number): void {
    Atomics.add(this.#head, as, 1);
    Atomics.sub(this.#head, board.OUTSTANDING, 1);
  }

  #dispatch(): void {
    for (let next = this.#queue.peek(); next !== undefined; next = this.#queue.peek()) {
      const worker = this.#takeFree();
      if (worker === undefined) break;
      this.#give(worker, 1);
    }
    if (this.#queue.length === 0) return;
    let starting = 0;
    for (const worker of this.#workers) if (worker?.state === "starting") starting += 1;
    while (starting < this.#queue.length && this.#spawn()) starting += 1;
    if (starting > 0) return;
    for (const worker of this.#workers) {
      if (worker?.state !== "ready" || this.#queue.length === 0) continue;
      this.#forget(worker);
      const recent = Atomics.load(worker.ring, board.RECENT_US);
      this.#give(
        worker,
        giveAhead(recent, worker.given.length, this.#queue.length, this.#settings.maxWorkers, RING - 2),
      );
    }
  }

  #takeFree(): Worker | undefined {
    for (const worker of this.#workers) {
      if (worker?.state !== "ready") continue;
      const at = worker.slot * board.SLOT_WORDS + board.SLOT_STATE;
      const free = board.slotWord(worker.generation, board.FREE);
      if (Atomics.compareExchange(this.#slots, at, free, board.slotWord(worker.generation, board.HELD)) === free) {
        clearTimeout(worker.idleTimer);
        worker.idleTimer = undefined;
        this.#forget(worker);
        return worker;
      }
    }
    return undefined;
  }

  /** Moves up to `count` tasks from the queue to the worker. */
  #give(worker: Worker, count: number): void {
    const batch: AgentTask[] = [];
    let given = 0;
    for (; given < count; given++) {
      const next = this.#queue.peek();
      if (next === undefined || worker.freeWords.length === 0) break;
      // What was moved here lives only once: it goes when it can begin, so that no crash but its own loses it.
      if (next.task.moved && given > 0) break;
      this.#queue.shift();
      Atomics.sub(this.#head, board.QUEUED, 1);
      const open = worker.nextTicket;
      worker.nextTicket = (open + 1) & 0x3fffffff;
      const ring = worker.freeWords.pop() as number;
      Atomics.store(worker.ring, ring, open);
      Atomics.add(this.#head, board.AHEAD, 1);
      worker.given.push({ ...next, ring, open });
      const task: AgentTask = { from: next.from.id, message: next.task.message, ring, open, beside: false };
      if (next.task.moved)
        worker.control.postMessage({ t: "run", tasks: [task] } satisfies ToAgent, transferables(next.task));
      else batch.push(task);
    }
    if (batch.length > 0) worker.control.postMessage({ t: "run", tasks: batch } satisfies ToAgent);
  }

  #isOpen(worker: Worker, given: Given): boolean {
    return Atomics.load(worker.ring, given.ring) === given.open;
  }

  /** Drops the memory of tasks that the worker has begun, except the last, which may be running. */
  #forget(worker: Worker): void {
    let begun = 0;
    while (begun < worker.given.length && !this.#isOpen(worker, worker.given[begun] as Given)) begun += 1;
    if (begun > 1)
      for (const gone of worker.given.splice(0, begun - 1)) if (gone.ring >= 0) worker.freeWords.push(gone.ring);
  }

  #takeBack(worker: Worker, given: Given): boolean {
    if (
      given.task.moved ||
      Atomics.compareExchange(worker.ring, given.ring, given.open, RING_TAKEN_BACK) !== given.open
    )
      return false;
    Atomics.sub(this.#head, board.AHEAD, 1);
    worker.given.splice(worker.given.indexOf(given), 1);
    worker.freeWords.push(given.ring);
    return true;
  }

  /** A worker has nothing left while another may have more in hand than it can begin soon: half of that moves over. */
  #steal(thief: Worker): void {
    let open: Given[] = [];
    let victim: Worker | undefined;
    for (const worker of this.#workers) {
      if (worker === undefined || worker === thief) continue;
      const has = worker.given.filter((given) => this.#isOpen(worker, given));
      if (has.length > open.length) {
        open = has;
        victim = worker;
      }
    }
    if (victim === undefined) return;
    const back: Queued[] = [];
    for (const given of open.slice(Math.floor(open.length / 2))) if (this.#takeBack(victim, given)) back.push(given);
    Atomics.add(this.#head, board.QUEUED, back.length);
    this.#queue.unshift(back);
    this.#give(thief, back.length);
  }

  #spawn(): boolean {
    const slot = this.#workers.indexOf(undefined);
    if (slot === -1) return false;
    const { manager, started, api } = this.#context;
    const generation = ((this.#generations[slot] as number) + 1) & 0xfffffff;
    this.#generations[slot] = generation;
    const at = slot * board.SLOT_WORDS;
    this.#slots.fill(0, at, at + board.SLOT_WORDS);
    Atomics.store(this.#slots, at + board.SLOT_STATE, board.slotWord(generation, board.HELD));
    const bell = new Int32Array(new SharedArrayBuffer(8));
    const { record, port } = api.openLine(bell);
    const { port1, port2 } = new MessageChannel();
    const ring = board.newBlock();
    this.#names += 1;
    const data: AgentData = {
      identity: { name: `${started.threadName}-${this.#names}`, kind: "pool", ancestors: manager.intro.owner },
      line: port,
      bell,
      control: port2,
      key: manager.intro.key,
      head: this.#head,
      slots: this.#slots,
      slot,
      generation,
      block: ring,
      workerInit: this.#settings.workerInit,
      memoryLimitMb: this.#settings.memoryLimitMb,
    };
    const member = this.#crew.start(
      data,
      [port, port2],
      port1,
      () => Atomics.load(ring, board.EXIT_CODE),
      (exit) => this.#exited(worker, exit),
    );
    const worker: Worker = {
      slot,
      generation,
      control: port1,
      ring,
      member,
      line: record,
      links: [],
      given: [],
      nextTicket: 0,
      freeWords: Array.from({ length: RING }, (_, word) => word),
      connected: new Set(),
      besides: [],
      heard: true,
      state: "starting",
      idleTimer: undefined,
    };
    port1.on("message", (message: FromAgent) => this.#heard(worker, message));
    this.#workers[slot] = worker;
    Atomics.add(this.#head, board.WORKERS, 1);
    return true;
  }

  #heard(worker: Worker, message: FromAgent): void {
    switch (message.t) {
      case "ready":
        if (worker.state !== "starting") return;
        this.#failedStarts = 0;
        worker.state = "ready";
        worker.links = message.links;
        for (const submitter of this.#submitters) if (submitter.alive) this.#connect(worker, submitter);
        this.#becameFree(worker);
        return;
      case "failed":
        this.#initFailed(worker, message.error);
        return;
      case "answers":
        this.#context.post(message.to, { op: "answers", answers: message.answers, worker: worker.links });
        return;
      case "free":
        this.#becameFree(worker);
        return;
      case "begun":
        this.#forget(worker);
        this.#dispatch();
        return;
      case "recycle":
        this.#retire(worker);
        return;
      case "drained":
        Atomics.add(this.#head, board.REPLACEMENTS, 1);
        worker.member.terminate();
        return;
      case "besideEnded":
        this.#besideEnded(worker, message.from, message.callId, message.ok);
        return;
      case "released": {
        // Its submitter died between taking the worker and giving it the task, which it had counted.
        const at = worker.slot * board.SLOT_WORDS + board.SLOT_STATE;
        const taken = board.slotWord(worker.generation, board.TAKEN);
        if (Atomics.compareExchange(this.#slots, at, taken, board.slotWord(worker.generation, board.HELD)) !== taken)
          return;
        this.#count(board.CANCELLED);
        this.#becameFree(worker);
        return;
      }
      case "pong":
        worker.heard = true;
        return;
      default:
        message satisfies never;
    }
  }

  /** The worker has nothing to do and its slot is ours to decide about. */
  #becameFree(worker: Worker): void {
    if (worker.state !== "ready") return;
    this.#forget(worker);
    if (this.#queue.length === 0 && Atomics.load(this.#head, board.AHEAD) > 0) this.#steal(worker);
    // Something is on its way to it: it will be heard of again when it has come to that.
    if (worker.given.some((given) => this.#isOpen(worker, given))) return;
    // It has come to that before its message came here, and runs it: it frees its slot itself at the end. A slot freed
    // now would be taken by the very task that this one calls and blocks for.
    if (Atomics.load(worker.ring, board.RUN_STATE) !== board.RUN_NONE) return;
    const at = worker.slot * board.SLOT_WORDS + board.SLOT_STATE;
    // Not a plain store: it may have gone on by itself, and even been taken, before its message came here.
    Atomics.compareExchange(
      this.#slots,
      at,
      board.slotWord(worker.generation, board.HELD),
      board.slotWord(worker.generation, board.FREE),
    );
    this.#dispatch();
    this.#maybeStopped();
    this.#watchIdle(worker);
  }

  #watchIdle(worker: Worker): void {
    const { idleTimeoutMs, minWorkers } = this.#settings;
    if (idleTimeoutMs === Number.POSITIVE_INFINITY || worker.idleTimer !== undefined) return;
    const look = (lastEnded: number): void => {
      worker.idleTimer = setTimeout(() => {
        worker.idleTimer = undefined;
        if (worker.state !== "ready" || worker.besides.length > 0 || this.#activeWorkers() <= minWorkers) return;
        const at = worker.slot * board.SLOT_WORDS;
        const now = this.#ended();
        const free = board.slotWord(worker.generation, board.FREE);
        // Direct claims pass us by, so idleness is judged by what the pool has ended since the last look.
        if (
          now === lastEnded &&
          Atomics.compareExchange(
            this.#slots,
            at + board.SLOT_STATE,
            free,
            board.slotWord(worker.generation, board.EMPTY),
          ) === free
        ) {
          worker.state = "retiring";
          worker.member.terminate();
        } else look(now);
      }, idleTimeoutMs);
      worker.idleTimer.unref();
    };
    look(this.#ended());
  }

  #connect(worker: Worker, submitter: ThreadRecord): void {
    if (worker.connected.has(submitter.id) || submitter === worker.line) return;
    worker.connected.add(submitter.id);
    const { port1, port2 } = new MessageChannel();
    worker.control.postMessage(
      { t: "connect", from: submitter.id, port: port2, bell: submitter.bell } satisfies ToAgent,
      [port2],
    );
    this.#context.post(
      submitter,
      {
        op: "connect",
        key: this.#context.manager.intro.key,
        slot: worker.slot,
        generation: worker.generation,
        port: port1,
        worker: worker.links,
      },
      [port1],
    );
  }

  /** The worker may finish what it has begun, and then goes. */
  #retire(worker: Worker): void {
    if (worker.state !== "ready") return;
    worker.state = "retiring";
    const back = worker.given.filter((given) => this.#takeBack(worker, given));
    Atomics.add(this.#head, board.QUEUED, back.length);
    this.#queue.unshift(back);
    worker.control.postMessage({ t: "drain" } satisfies ToAgent);
  }

  #besideEnded(worker: Worker, from: number, callId: number, ok: boolean): void {
    const index = worker.besides.findIndex((item) => item.from.id === from && item.task.message[1] === callId);
    if (index === -1) return;
    worker.besides.splice(index, 1);
    this.#count(ok ? board.COMPLETED : board.FAILED);
    this.#maybeStopped();
  }

  #initFailed(worker: Worker, encoded: unknown): void {
    this.#failedStarts += 1;
    const error = decodeThrown(encoded as never);
    this.#whyNoStart = error instanceof Error ? error.message : String(error);
    logger().error({ err: error, manager: this.#context.manager.label }, "workerInit failed in a new worker of a pool");
    worker.member.terminate();
  }

  #exited(worker: Worker, exit: ThreadExit): void {
    if (worker.state === "gone") return;
    const wasStarting = worker.state === "starting";
    const retired = worker.state === "retiring";
    worker.state = "gone";
    clearTimeout(worker.idleTimer);
    this.#workers[worker.slot] = undefined;
    Atomics.sub(this.#head, board.WORKERS, 1);
    const { ring } = worker;
    const at = worker.slot * board.SLOT_WORDS;
    Atomics.store(this.#slots, at + board.SLOT_STATE, board.slotWord(worker.generation, board.EMPTY));
    if (exit.reason !== "terminated" && !wasStarting && !retired) Atomics.add(this.#head, board.CRASHES, 1);
    if (!wasStarting && !retired && this.#stopping === undefined) Atomics.add(this.#head, board.REPLACEMENTS, 1);
    const name = worker.links[0]?.name ?? `${this.#context.started.threadName}-?`;
    const lose = (thread: number, callId: number): void => {
      this.#context.post(thread, { op: "lost", callId, exit, thread: name });
    };
    const runThread = Atomics.load(ring, board.RUN_THREAD);
    const runCall = Atomics.load(ring, board.RUN_CALL);
    const back: Queued[] = [];
    let turn = Atomics.load(ring, board.RUN_STATE);
    for (const given of [...worker.given]) {
      const callId = given.task.message[1];
      const its = given.from.id === runThread && callId === runCall;
      if (this.#takeBack(worker, given)) {
        if (its) turn = board.RUN_NONE; // it died between the turn and the claim
        back.push(given);
      } else if (given.task.moved && this.#isOpen(worker, given)) {
        // It had not begun, but what was moved to the worker is gone with it.
        Atomics.sub(this.#head, board.AHEAD, 1);
        if (!its) this.#lost();
        lose(given.from.id, callId);
      }
    }
    if (turn !== board.RUN_NONE) {
      if (Atomics.compareExchange(ring, board.RUN_STATE, board.RUN_RUNNING, board.RUN_COUNTED) === board.RUN_RUNNING)
        this.#lost();
      lose(runThread, runCall);
    }
    for (const { from, task } of worker.besides.splice(0)) {
      this.#lost();
      lose(from.id, task.message[1]);
    }
    for (const id of worker.connected) {
      this.#context.post(id, {
        op: "gone",
        key: this.#context.manager.intro.key,
        slot: worker.slot,
        generation: worker.generation,
        exit,
        worker: worker.links,
        runThread: turn === board.RUN_NONE ? -1 : runThread,
        runCall,
      });
    }
    Atomics.add(this.#head, board.QUEUED, back.length);
    this.#queue.unshift(back);
    this.#context.api.gone(worker.line, exit);
    if (wasStarting && exit.reason !== "terminated") {
      this.#failedStarts += 1;
      this.#whyNoStart = exit.message?.split("\n")[0] ?? `a thread ended with code ${exit.exitCode}`;
    }
    if (this.#failedStarts >= MAX_FAILED_STARTS) {
      this.#endNow(
        `its workers could not start ${MAX_FAILED_STARTS} times in a row${this.#whyNoStart === undefined ? "" : `: ${this.#whyNoStart}`}`,
      );
      return;
    }
    this.#dispatch();
    this.#refill();
    // What a busy worker holds ahead need not wait for it where a new thread can take it over.
    if (this.#stopping === undefined && this.#queue.length === 0 && Atomics.load(this.#head, board.AHEAD) > 0)
      this.#spawn();
    this.#maybeStopped();
  }

  /** Counts a task that its worker took with it. */
  #lost(): void {
    this.#count(board.FAILED);
    if (this.#stopping !== undefined) this.#stopping.terminated += 1;
  }

  #refill(): void {
    if (this.#stopping !== undefined) return;
    while (this.#activeWorkers() < this.#settings.minWorkers && this.#spawn());
  }

  #cancelQueue(why: string): void {
    for (const item of this.#queue.clear()) {
      Atomics.sub(this.#head, board.QUEUED, 1);
      this.#drop(item, why);
    }
    for (const worker of this.#workers) {
      if (worker === undefined) continue;
      for (const given of [...worker.given]) if (this.#takeBack(worker, given)) this.#drop(given, why);
    }
  }

  #drop(item: Queued, why: string): void {
    this.#count(board.CANCELLED);
    if (this.#stopping !== undefined) this.#stopping.cancelled += 1;
    this.#context.post(item.from, { op: "dropped", callId: item.task.message[1], why });
  }

  #endNow(why: string): void {
    Atomics.compareExchange(this.#head, board.STATE, board.RUNNING, board.STOPPING);
    this.#stopped ??= new Promise<StopReport>((resolve) => {
      this.#stopping = { resolve, cancelled: 0, terminated: 0, completedBefore: this.#ended() };
    });
    this.#cancelQueue(why);
    for (const worker of [...this.#workers]) worker?.member.terminate();
    this.#maybeStopped();
  }

  /** When stopping: takes each idle worker away from the submitters, and ends when none is left. */
  #maybeStopped(): void {
    if (this.#stopping === undefined || this.#queue.length > 0) return;
    for (const worker of this.#workers) {
      if (worker === undefined || worker.state === "retiring" || worker.besides.length > 0) continue;
      if (worker.state === "starting") {
        worker.member.terminate();
        return; // #exited comes back here
      }
      const at = worker.slot * board.SLOT_WORDS + board.SLOT_STATE;
      const free = board.slotWord(worker.generation, board.FREE);
      if (Atomics.compareExchange(this.#slots, at, free, board.slotWord(worker.generation, board.EMPTY)) === free) {
        worker.state = "retiring";
        worker.member.terminate();
        return;
      }
      // Busy: it will tell us, since we count ourselves as waiting for it.
      if (!this.#askedToTell) {
        this.#askedToTell = true;
        Atomics.add(this.#head, board.QUEUED, 1);
      }
    }
    if (this.#activeWorkers() > 0) return;
    const { resolve, cancelled, terminated, completedBefore } = this.#stopping;
    this.#stopping = undefined;
    this.#watchdog.clear();
    if (this.#askedToTell) Atomics.sub(this.#head, board.QUEUED, 1);
    const completed = Math.max(0, this.#ended() - completedBefore - terminated);
    void this.#crew.destroy().then(() => undefined);
    this.#context.ended();
    resolve({ completed, cancelled, terminated });
  }

  /** Whether QUEUED was raised by one so that every worker that becomes free says so. */
  #askedToTell = false;
}

const MAX_FAILED_STARTS = 3;

/** A cancelled task that no worker had begun when its grace was over is looked for again so much later. */
const SECOND_LOOK_MS = 100;

function transferables(task: QueuedTask): never[] {
  if (!task.moved) return [];
  const found: unknown[] = [];
  const seen = new Set<unknown>();
  const walk = (value: unknown): void => {
    if (typeof value !== "object" || value === null || seen.has(value)) return;
    seen.add(value);
    if (value instanceof ArrayBuffer) found.push(value);
    else if (ArrayBuffer.isView(value)) walk(value.buffer);
    else if (
      typeof (value as { postMessage?: unknown }).postMessage === "function" ||
      value instanceof ReadableStream ||
      value instanceof WritableStream ||
      value instanceof TransformStream
    )
      found.push(value);
    else if (value instanceof Map)
      for (const [k, v] of value) {
        walk(k);
        walk(v);
      }
    else if (value instanceof Set) for (const v of value) walk(v);
    else for (const inner of Object.values(value)) walk(inner);
  };
  walk(task.message[3]);
  return found as never[];
}
