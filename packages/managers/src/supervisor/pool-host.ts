import { MessageChannel } from "node:worker_threads";
import {
  type Answerers,
  decodeThrown,
  encodeError,
  logger,
  newAnswerRing,
  type ThreadExit,
  type ThreadRecord,
  type WaitTarget,
} from "@duck-ts/runtime/internal";
import * as board from "../board.ts";
import { Crew } from "../pool/crew.ts";
import type { FromAgent, PoolSettings, QueuedTask, StopReport, WhyDropped } from "../protocol.ts";
import type { HostContext, ManagerHost } from "./host-api.ts";
import { PoolEnding } from "./pool-ending.ts";
import { lossesOf } from "./pool-losses.ts";
import { PoolWork, tasksIn } from "./pool-work.ts";
import { type PoolWorker, type Queued, taskName } from "./pool-worker.ts";
import { Returning } from "./returning.ts";
import { startPoolWorker } from "./start-pool-worker.ts";
import { Watchdog } from "./watchdog.ts";

/** A pool in the supervisor: takes tasks, hears its workers, and sees to what happens when one of them dies or all shall end. */
export class PoolHost implements ManagerHost {
  readonly #context: HostContext;
  readonly #settings: PoolSettings;
  readonly #head: board.Words;
  readonly #crew: Crew;
  readonly #work: PoolWork;
  readonly #submitters = new Set<ThreadRecord>();
  readonly #returning: Returning;
  readonly #watchdog = new Watchdog();
  readonly #ending: PoolEnding;
  #failedStarts = 0;
  #whyNoStart: unknown;
  #names = 0;

  constructor(context: HostContext, settings: PoolSettings) {
    this.#context = context;
    this.#settings = settings;
    this.#head = context.manager.intro.head;
    this.#work = new PoolWork(this.#head, settings.maxWorkers);
    this.#returning = new Returning(this.#head);
    this.#ending = new PoolEnding(this.#head);
    this.#crew = new Crew({
      agent: context.urls.poolAgent,
      resourceLimits: context.started.resourceLimits,
      execArgv: context.api.execArgv,
      // Threads in native calls outlive their termination: their places are taken while they are still there.
      maxThreads: settings.maxWorkers * 4 + 4,
    });
    for (let i = 0; i < settings.minWorkers; i++) this.#spawn();
  }

  submit(from: ThreadRecord, tasks: readonly QueuedTask[], again: boolean): void {
    if (from.carriesPorts && !this.#submitters.has(from)) {
      this.#submitters.add(from);
      for (const worker of this.#work.live) if (worker.state === "ready") this.#connect(worker, from);
    }
    const items = tasks.map((task) => ({ from, task }));
    if (again) {
      this.#returning.came(from);
      this.#work.queue.unshift(items);
    } else for (const item of items) this.#work.queue.push(item);
    for (const { message, timeoutMs } of tasks) if (timeoutMs !== undefined) this.watch(from, message[1], timeoutMs);
    this.#dispatch();
    this.#maybeStopped();
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
    const name = `${from.id}.${callId}`;
    this.#watchdog.callOff(name);
    if (this.#work.takeOut(name) !== undefined) {
      this.#count(board.CANCELLED);
      this.#maybeStopped();
      return;
    }
    const isBeside = (worker: PoolWorker): boolean => worker.besides.some((item) => taskName(item) === name);
    for (const worker of this.#work.live) {
      const beside = isBeside(worker);
      const given = worker.given.some((item) => taskName(item) === name);
      if (!given && !beside && !worker.runs(from.id, callId)) continue;
      worker.heard = false;
      worker.tell({ t: "cancel", from: from.id, callId, reason });
      if (beside) worker.tell({ t: "ping", from: from.id, callId });
    }
    // Which worker has it is looked up when the grace is over: one that it was handed directly may not have begun yet.
    const look = (): void => {
      for (const worker of this.#work.live) {
        // A task beside others that leaves the event loop alone harms nobody: it must not take them with it.
        const stuck = !worker.heard && isBeside(worker);
        if (stuck || worker.runs(from.id, callId)) worker.member.terminate();
      }
    };
    const { abortGraceMs } = this.#context.started;
    this.#watchdog.watch(`grace:${name}`, abortGraceMs, () => {
      look();
      this.#watchdog.watch(`grace:${name}`, Math.max(abortGraceMs, SECOND_LOOK_MS), look);
    });
  }

  /** Gives a queued task back to its submitter, which will run it itself. */
  reclaim(from: ThreadRecord, callId: number): boolean {
    return this.#work.takeOut(`${from.id}.${callId}`) !== undefined;
  }

  /**
   * A task in some thread has begun to await another. If that keeps one of our workers waiting, directly or through
   * tasks of other managers, for a task that is queued here, then that task runs in this worker, beside the one that
   * waits: a pool can never wait for itself. `awaited` tells for whom a task waits.
   */
  helpWaiting(awaited: (task: string) => Iterable<string>): void {
    if (this.#work.queue.length === 0 && Atomics.load(this.#head, board.AHEAD) === 0) return;
    for (const worker of this.#work.live) {
      if (worker.state !== "ready" || this.#context.api.isBlocked(worker.line.id)) continue;
      for (const root of tasksIn(worker)) {
        for (const task of awaited(root)) {
          const item = this.#work.takeOut(task);
          if (item !== undefined) worker.runBeside(item);
        }
      }
    }
  }

  poke(): void {
    this.#dispatch();
    this.#maybeStopped();
  }

  stop({ wait, timeoutMs }: { wait: boolean; timeoutMs: number }): Promise<StopReport> {
    const stopped = this.#ending.begin();
    if (!wait) this.#cancelQueue({ why: "the pool was stopped without waiting" });
    if (this.#ending.endsBy(timeoutMs))
      this.#watchdog.watch("stop", timeoutMs, () =>
        this.#endNow({ why: "the pool was stopped and its time was over" }),
      );
    this.#dispatch();
    this.#maybeStopped();
    return stopped;
  }

  kill(why: string): void {
    this.#endNow({ why });
  }

  threadGone(thread: ThreadRecord): void {
    this.#submitters.delete(thread);
    this.#returning.threadGone(thread);
    for (const worker of this.#work.live) worker.submitterGone(thread);
    this.#work.takeOutAll(
      ({ from }) => from === thread,
      () => this.#count(board.CANCELLED),
    );
    this.#maybeStopped();
  }

  threadIds(): number[] {
    return this.#work.live.flatMap((worker) => (worker.state === "ready" ? [worker.line.id] : []));
  }

  utilization(): number {
    return this.#work.utilization;
  }

  answerers({ callId }: Extract<WaitTarget, { on: "task" }>, waiter: number): Answerers {
    return this.#work.answerers(waiter, callId);
  }

  /** Counts the end of a task that no worker will count. */
  #count(as: number): void {
    Atomics.add(this.#head, as, 1);
    Atomics.sub(this.#head, board.OUTSTANDING, 1);
  }

  #dispatch(): void {
    this.#work.dispatch(() => this.#spawn());
  }

  #spawn(): boolean {
    if (!this.#work.hasRoom) return false;
    this.#names += 1;
    const worker = startPoolWorker(this.#context, this.#settings, this.#crew, this.#names, {
      heard: (from, message) => this.#heard(from, message),
      exited: (from, exit) => this.#exited(from, exit),
    });
    this.#work.add(worker);
    return true;
  }

  #heard(worker: PoolWorker, message: FromAgent): void {
    switch (message.t) {
      case "ready":
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
        this.#context.post(message.to, { op: "answers", answers: message.answers, links: worker.links });
        return;
      case "free":
        this.#becameFree(worker);
        return;
      case "begun":
        worker.forget();
        this.#dispatch();
        return;
      case "left":
        worker.left(message.seat);
        return;
      case "recycle":
        this.#retire(worker);
        return;
      case "drained":
        Atomics.add(this.#head, board.REPLACEMENTS, 1);
        this.#end(worker);
        return;
      case "besideEnded":
        this.#besideEnded(worker, `${message.from}.${message.callId}`, message.ok);
        return;
      case "pong":
        worker.heard = true;
        return;
      default:
        message satisfies never;
    }
  }

  /** The worker has nothing to do and its place is ours to decide about. */
  #becameFree(worker: PoolWorker): void {
    if (worker.state !== "ready") return;
    worker.forget();
    if (this.#work.queue.length === 0 && Atomics.load(this.#head, board.AHEAD) > 0) this.#work.steal(worker);
    // Something is on its way to it: it will be heard of again when it has come to that.
    if (worker.hasOpen) return;
    // It has come to that before its message came here, and runs it: it frees its place itself at the end. A place freed
    // now would be taken by the very task that this one calls and blocks for.
    if (Atomics.load(worker.block, board.RUN_STATE) !== board.RUN_NONE) return;
    // It may have gone on by itself, and even been taken, before its message came here.
    board.movePlace(worker.block, board.HELD, board.FREE);
    this.#dispatch();
    this.#maybeStopped();
    this.#watchIdle(worker);
  }

  #watchIdle(worker: PoolWorker): void {
    const { idleTimeoutMs, minWorkers } = this.#settings;
    if (idleTimeoutMs === Number.POSITIVE_INFINITY || worker.idleTimer !== undefined) return;
    const look = (endedBefore: number): void => {
      worker.idleTimer = setTimeout(() => {
        worker.idleTimer = undefined;
        if (worker.state !== "ready" || this.#work.live.length <= minWorkers) return;
        // A worker becomes free without a word where nobody waits, and direct tasks pass us by. So it is looked at
        // again and again, and idleness is judged by what the pool has ended since the last look.
        const ended = board.ended(this.#head);
        if (worker.besides.length === 0 && ended === endedBefore && worker.close()) this.#dismiss(worker);
        else look(ended);
      }, idleTimeoutMs);
      worker.idleTimer.unref();
    };
    look(board.ended(this.#head));
  }

  #dismiss(worker: PoolWorker): void {
    worker.state = "retiring";
    this.#end(worker);
  }

  /** Ends a worker that has nothing to do any more, once what it has written has left it. */
  #end(worker: PoolWorker): void {
    this.#context.api.written(worker.line, () => worker.member.terminate());
  }

  #connect(worker: PoolWorker, submitter: ThreadRecord): void {
    const seat = submitter === worker.line ? undefined : worker.seat(submitter);
    if (seat === undefined) return;
    const { port1, port2 } = new MessageChannel();
    const answers = newAnswerRing();
    worker.tell({ t: "connect", from: submitter.id, port: port2, bell: submitter.bell, answers, seat }, [port2]);
    const { key } = this.#context.manager.intro;
    const { number, block, links } = worker;
    this.#context.post(submitter, { op: "connect", key, worker: number, port: port1, answers, block, seat, links }, [
      port1,
    ]);
  }

  /** The worker may finish what it has begun, and then goes. */
  #retire(worker: PoolWorker): void {
    if (worker.state !== "ready") return;
    worker.state = "retiring";
    this.#work.requeue(worker.given.filter((given) => worker.takeBack(given)));
    worker.tell({ t: "drain" });
  }

  #besideEnded(worker: PoolWorker, name: string, ok: boolean): void {
    const index = worker.besides.findIndex((item) => taskName(item) === name);
    if (index === -1) return;
    worker.besides.splice(index, 1);
    Atomics.sub(this.#head, board.ACTIVE, 1);
    this.#count(ok ? board.COMPLETED : board.FAILED);
    this.#maybeStopped();
  }

  #initFailed(worker: PoolWorker, encoded: unknown): void {
    this.#failedStarts += 1;
    this.#whyNoStart = decodeThrown(encoded as never);
    logger().error(
      { err: this.#whyNoStart, manager: this.#context.manager.label },
      "workerInit failed in a new worker of a pool",
    );
    worker.member.terminate();
  }

  #exited(worker: PoolWorker, exit: ThreadExit): void {
    const wasStarting = worker.state === "starting";
    const retired = worker.state === "retiring";
    worker.state = "gone";
    clearTimeout(worker.idleTimer);
    this.#work.remove(worker);
    // In one step: a submitter may be taking the place in this very moment, and what it sends must be waited for.
    const taker = worker.taker(Atomics.exchange(worker.block, board.PLACE, board.EMPTY));
    if (exit.reason !== "terminated" && !wasStarting && !retired) Atomics.add(this.#head, board.CRASHES, 1);
    if (!wasStarting && !retired && !this.#ending.hasBegun) Atomics.add(this.#head, board.REPLACEMENTS, 1);
    this.#settleWhatItHad(worker, exit);
    if (taker !== undefined) this.#returning.expect(taker.thread, taker.waiting);
    this.#ending.cancelled += Atomics.load(worker.block, board.REFUSED);
    for (const submitter of worker.submitters) {
      const { key } = this.#context.manager.intro;
      this.#context.post(submitter, { op: "gone", key, worker: worker.number, exit, links: worker.links });
    }
    this.#context.api.gone(worker.line, exit);
    if (wasStarting && exit.reason !== "terminated") {
      this.#failedStarts += 1;
      this.#whyNoStart = new Error(exit.message?.split("\n")[0] ?? `a thread ended with code ${exit.exitCode}`);
    }
    if (this.#failedStarts >= MAX_FAILED_STARTS) {
      const cause = this.#whyNoStart;
      const said = cause instanceof Error ? cause.message : String(cause);
      const why = `its workers could not start ${MAX_FAILED_STARTS} times in a row: ${said}`;
      this.#endNow({ why, cause: encodeError(cause) });
      return;
    }
    this.#dispatch();
    this.#refill();
    // What a busy worker holds ahead need not wait for it where a new thread can take it over.
    if (!this.#ending.hasBegun && this.#work.queue.length === 0 && Atomics.load(this.#head, board.AHEAD) > 0)
      this.#spawn();
    this.#maybeStopped();
  }

  /** A dead worker's tasks: what it had begun is lost, the rest waits again. */
  #settleWhatItHad(worker: PoolWorker, exit: ThreadExit): void {
    const { lost, back } = lossesOf(worker, this.#head);
    const thread = worker.links[0]?.name ?? `${this.#context.started.threadName}-?`;
    for (const task of lost) {
      if (!task.counted) {
        this.#count(board.FAILED);
        if (this.#ending.hasBegun) this.#ending.terminated += 1;
      }
      this.#context.post(task.thread, { op: "lost", callId: task.callId, exit, thread });
    }
    this.#work.requeue(back);
  }

  #refill(): void {
    if (this.#ending.hasBegun) return;
    while (this.#work.live.length < this.#settings.minWorkers && this.#spawn());
  }

  #cancelQueue(why: WhyDropped): void {
    for (const item of this.#work.queue.clear()) {
      Atomics.sub(this.#head, board.QUEUED, 1);
      this.#drop(item, why);
    }
    for (const worker of this.#work.live) {
      Atomics.store(worker.block, board.REFUSING, 1);
      const taker = worker.taker()?.thread;
      const { key } = this.#context.manager.intro;
      if (taker !== undefined) this.#context.post(taker, { op: "withdraw", key, worker: worker.number, ...why });
      for (const given of [...worker.given]) if (worker.takeBack(given)) this.#drop(given, why);
    }
  }

  #drop(item: Queued, why: WhyDropped): void {
    this.#count(board.CANCELLED);
    this.#ending.cancelled += 1;
    this.#context.post(item.from, { op: "dropped", callId: item.task.message[1], ...why });
  }

  #endNow(why: WhyDropped): void {
    void this.#ending.begin();
    this.#cancelQueue(why);
    for (const worker of this.#work.live) worker.member.terminate();
    // Nobody can be waited for any more; what comes back later finds no manager.
    this.#ending.cancelled += this.#returning.clear();
    this.#maybeStopped();
  }

  /** When stopping: takes each idle worker away from the submitters, and ends when none is left. */
  #maybeStopped(): void {
    if (!this.#ending.hasBegun || this.#work.queue.length > 0 || this.#returning.expected) return;
    for (const worker of this.#work.live) {
      if (worker.state === "retiring" || worker.besides.length > 0) continue;
      if (worker.state === "starting") {
        worker.member.terminate();
        return; // #exited comes back here
      }
      if (worker.close()) {
        this.#dismiss(worker);
        if (!this.#work.has(worker)) return; // #exited has come back here already
      }
    }
    if (this.#work.live.length > 0) return;
    this.#watchdog.clear();
    void this.#crew.destroy();
    this.#ending.finish();
    this.#context.ended();
  }
}

const MAX_FAILED_STARTS = 3;

/** A cancelled task that no worker had begun when its grace was over is looked for again so much later. */
const SECOND_LOOK_MS = 100;
