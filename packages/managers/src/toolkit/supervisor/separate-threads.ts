import { MessageChannel, type MessagePort, type Worker } from "node:worker_threads";
import {
  type Answerers,
  type EntryData,
  newThreadBell,
  onceImported,
  spawnThread,
  type ThreadExit,
  type ThreadLink,
  type ThreadRecord,
  watchExit,
} from "@duck-ts/runtime/internal";
import type { FromAgent, ToAgent } from "../../protocol.ts";
import { Watchdog } from "../../supervisor/watchdog.ts";
import type { SeparateTask } from "../protocol.ts";
import type { SeparateData } from "../separate-agent.ts";
import type { ToolkitContext } from "./toolkit-host.ts";

type Separate = {
  readonly from: ThreadRecord;
  readonly callId: number;
  readonly name: string;
  readonly worker: Worker;
  readonly control: MessagePort;
  readonly line: ThreadRecord;
  readonly exit: ReturnType<typeof watchExit>;
  readonly holdsRoot: boolean;
  links: readonly ThreadLink[];
};

/** How long a cancelled task has before its thread is terminated. */
const GRACE_MS = 500;

/** Threads that run one task each and end. */
export class SeparateThreads {
  readonly #context: ToolkitContext;
  readonly #threads = new Map<string, Separate>();
  readonly #watchdog = new Watchdog();
  readonly #ends = new Set<() => void>();

  constructor(context: ToolkitContext) {
    this.#context = context;
  }

  start(from: ThreadRecord, task: SeparateTask): void {
    const { api, urls } = this.#context;
    const id = `${from.id}.${task.callId}`;
    const bell = newThreadBell();
    const { record, port } = api.openLine(bell);
    const { port1, port2 } = new MessageChannel();
    const data: SeparateData = {
      control: port2,
      from: from.id,
      port: task.port,
      bell: task.bell,
      answers: task.answers,
      message: task.message,
    };
    const entry: EntryData = { line: port, bell, module: urls.separateAgent.href, data };
    const worker = spawnThread(urls.entry, {
      identity: { name: task.name, kind: "separate", ancestors: from.links, root: api.root },
      data: entry,
      transfer: [port, port2, ...(task.port === undefined ? [] : [task.port])],
      execArgv: api.execArgv,
    });
    worker.unref();
    const exit = watchExit(worker, (how) => this.#exited(id, how));
    const { callId, name, holdRoot } = task;
    const thread: Separate = {
      from,
      callId,
      name,
      worker,
      control: port1,
      line: record,
      exit,
      holdsRoot: holdRoot,
      links: [],
    };
    this.#threads.set(id, thread);
    port1.on("message", (message: FromAgent) => this.#heard(thread, message));
    if (holdRoot) this.#context.tell(this.#root(from), { op: "hold" });
    if (task.timeoutMs !== undefined) this.#watch(thread, id, task.timeoutMs);
  }

  cancel(from: ThreadRecord, callId: number, reason: unknown): void {
    const id = `${from.id}.${callId}`;
    const thread = this.#threads.get(id);
    if (thread === undefined) return;
    thread.control.postMessage({ t: "cancel", from: from.id, callId, reason } satisfies ToAgent);
    this.#watchdog.watch(`grace:${id}`, GRACE_MS, () => this.#terminate(thread));
  }

  /** Ends every such thread below `from`, politely at first. */
  async endBelow(from: ThreadRecord, timeoutMs: number): Promise<void> {
    const below = (): Separate[] =>
      [...this.#threads.values()].filter((one) => one.from.links.some((link) => link.id === from.id));
    for (const one of below())
      one.control.postMessage({
        t: "cancel",
        from: one.from.id,
        callId: one.callId,
        reason: undefined,
      } satisfies ToAgent);
    const timer = setTimeout(() => {
      for (const one of below()) this.#terminate(one);
    }, timeoutMs);
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if (below().length > 0) return;
        this.#ends.delete(look);
        resolve();
      };
      this.#ends.add(look);
      look();
    });
    clearTimeout(timer);
  }

  /** Its owner has ended: nobody waits for the result. It may clean up, and then goes. */
  threadGone(thread: ThreadRecord): void {
    for (const one of this.#threads.values()) if (one.from === thread) this.cancel(thread, one.callId, undefined);
  }

  answerers(waiter: number, callId: number): Answerers {
    const thread = this.#threads.get(`${waiter}.${callId}`);
    return thread === undefined || thread.line.info === undefined
      ? { live: true }
      : { live: false, anyOf: [thread.line.id] };
  }

  #watch(thread: Separate, id: string, timeoutMs: number): void {
    this.#watchdog.watch(id, timeoutMs, () => {
      this.#context.answer(thread.from, { op: "expired", callId: thread.callId, timeoutMs });
      this.cancel(thread.from, thread.callId, undefined);
    });
  }

  #heard(thread: Separate, message: FromAgent): void {
    if (message.t === "ready") thread.links = message.links;
    else if (message.t === "answers")
      this.#context.answer(thread.from, { op: "answers", answers: message.answers, links: thread.links });
  }

  #terminate(thread: Separate): void {
    onceImported(thread.line.bell, () => {
      thread.exit.terminating();
      void thread.worker.terminate();
    });
  }

  #exited(id: string, exit: ThreadExit): void {
    const thread = this.#threads.get(id);
    if (thread === undefined) return;
    this.#threads.delete(id);
    this.#watchdog.callOff(id);
    this.#watchdog.callOff(`grace:${id}`);
    thread.control.close();
    this.#context.api.gone(thread.line, exit);
    // Where it has answered, its future is settled by now and this says nothing new.
    this.#context.answer(thread.from, { op: "lost", callId: thread.callId, exit, thread: thread.name });
    if (thread.holdsRoot) this.#context.tell(this.#root(thread.from), { op: "letGo" });
    for (const look of [...this.#ends]) look();
  }

  #root(thread: ThreadRecord): ThreadRecord | undefined {
    return this.#context.api.thread(thread.links.at(-1)?.id as number);
  }
}
