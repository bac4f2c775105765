import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import {
  BroadcastChannel,
  MessageChannel,
  type MessagePort,
  receiveMessageOnPort,
  type Transferable,
} from "node:worker_threads";
import { countFromSupervisor, ring } from "../future/doorbell.ts";
import { logger } from "../logger.ts";
import type { RootShared, ThreadInfo, ThreadKind, ThreadLink } from "../thread/identity.ts";
import { threadFromLinks } from "../thread/identity.ts";
import { whenWritten } from "../thread/written.ts";
import { encodeError } from "../wire/error-codec.ts";
import type { FromSupervisor, ThreadExit, ToSupervisor, Wait, WaitTarget } from "../wire/messages.ts";
import { Doubts } from "./doubts.ts";
import { Outputs } from "./outputs.ts";
import { type FutureTask, SharedFutures } from "./shared-futures.ts";
import { type Answerers, type AwaitingTask, anyOf, type BlockedThread, type Deadlock, findDeadlock } from "./waits.ts";
import { broadcastNames, type Hello } from "./wires.ts";

/** A thread as the supervisor sees it. */
export class ThreadRecord {
  info: ThreadInfo | undefined;
  links: readonly ThreadLink[] = [];
  alive = true;
  readonly bell: Int32Array;
  readonly #send: (message: FromSupervisor, transfer?: readonly Transferable[]) => void;
  /** Handles what has arrived on this thread's line but was not read yet. */
  readonly drain: () => void;
  readonly close: () => void;
  readonly carriesPorts: boolean;

  constructor(wire: {
    bell: Int32Array;
    send: (message: FromSupervisor, transfer?: readonly Transferable[]) => void;
    drain: () => void;
    close: () => void;
    carriesPorts: boolean;
  }) {
    this.bell = wire.bell;
    this.#send = wire.send;
    this.drain = wire.drain;
    this.close = wire.close;
    this.carriesPorts = wire.carriesPorts;
  }

  get id(): number {
    return this.info?.id ?? -1;
  }

  post(message: FromSupervisor, transfer?: readonly Transferable[]): void {
    if (!this.alive) return;
    countFromSupervisor(this.bell);
    this.#send(message, transfer);
    ring(this.bell);
  }
}

/** What a higher package runs beside the registry. It must never block and never run user code. */
export interface SupervisorService {
  /** A message from a thread. `reply` is there when the thread asked for one, and must be called once, now or later. */
  call(from: ThreadRecord, body: unknown, reply: ((value: unknown) => void) | undefined): void;
  threadGone(thread: ThreadRecord, exit: ThreadExit): void;
  /** Who could finish this task. */
  answerers(target: Extract<WaitTarget, { on: "task" }>, waiter: number): Answerers;
  /** A thread or task has begun to wait; return true if that changed who can run. */
  waiting(thread: ThreadRecord, wait: Wait): void;
  unwaiting(thread: ThreadRecord, waitId: number): void;
}

/** What a service is given. */
export interface SupervisorApi {
  readonly root: RootShared;
  readonly self: ThreadInfo;
  readonly execArgv: readonly string[];
  thread(id: number): ThreadRecord | undefined;
  threads(): Iterable<ThreadRecord>;
  isBlocked(threadId: number): boolean;
  /** A line for a thread that is about to be made; its port goes to the thread, whose first message says who it is. */
  openLine(bell: Int32Array): { readonly record: ThreadRecord; readonly port: MessagePort };
  gone(thread: ThreadRecord, exit: ThreadExit): void;
  /** Calls `then` once what the thread has written has come here: before it is ended in good order. */
  written(thread: ThreadRecord, then: () => void): void;
  /** Who can answer has changed: look again at those who are blocked. */
  recheckWaits(): void;
}

/** The threads that the supervisor makes: what they write goes through it. */
const MADE_HERE: ReadonlySet<ThreadKind> = new Set<ThreadKind>(["pool", "loop", "separate"]);

/** One per root: the registry of threads, their lines, their exits, their waits, and the futures they share. */
export class Supervisor implements SupervisorApi {
  readonly root: RootShared;
  readonly self: ThreadInfo;
  readonly execArgv: readonly string[];
  readonly #records = new Set<ThreadRecord>();
  readonly #byId = new Map<number, ThreadRecord>();
  readonly #blocked = new Map<number, BlockedThread>();
  /** By thread and number: waits of tasks that await, while their thread goes on. */
  readonly #awaited = new Map<number, Map<number, Wait>>();
  readonly #doubts = new Doubts({
    find: () => this.#findAmongBlocked() ?? this.#findMixed(),
    askStands: (thread, ask) => {
      const { wait } = this.#blocked.get(thread) as BlockedThread;
      this.#byId.get(thread)?.post({ t: "stands", ask, wait: wait.id });
    },
    askQuiet: (thread, ask) => this.#byId.get(thread)?.post({ t: "quiet", ask }),
    tell: (deadlock) => {
      this.#tellDeadlock(deadlock);
      this.recheckWaits();
    },
  });
  readonly #services = new Map<string, SupervisorService>();
  readonly #futures = new SharedFutures((id) => this.#byId.get(id));
  readonly #outputs = new Outputs();
  readonly #deferred: (() => void)[] = [];
  /** What foreign threads say before they have a channel of their own. */
  readonly #hello: BroadcastChannel;
  #draining = false;
  #lookDue = false;

  constructor(root: RootShared, self: ThreadInfo, execArgv: readonly string[]) {
    this.root = root;
    this.self = self;
    this.execArgv = execArgv;
    this.#hello = new BroadcastChannel(broadcastNames(root.id).hello);
    this.#hello.onmessage = (event) => this.#hear((event as unknown as { data: Hello }).data);
  }

  thread(id: number): ThreadRecord | undefined {
    return this.#byId.get(id);
  }

  threads(): Iterable<ThreadRecord> {
    return this.#byId.values();
  }

  isBlocked(threadId: number): boolean {
    return this.#blocked.has(threadId);
  }

  openLine(bell: Int32Array): { record: ThreadRecord; port: MessagePort } {
    const { port1, port2 } = new MessageChannel();
    return { record: this.adopt(port1, bell), port: port2 };
  }

  /** Takes over the supervisor's end of a line. */
  adopt(port: MessagePort, bell: Int32Array, links?: readonly ThreadLink[]): ThreadRecord {
    const record: ThreadRecord = new ThreadRecord({
      bell,
      carriesPorts: true,
      send: (message, transfer) => port.postMessage(message, transfer as Transferable[] | undefined),
      drain: () => this.#drain(record, port),
      close: () => port.close(),
    });
    this.#records.add(record);
    if (links !== undefined) this.#name(record, links);
    port.on("message", (message: ToSupervisor) => this.#handle(record, message));
    return record;
  }

  gone(record: ThreadRecord, exit: ThreadExit): void {
    if (!record.alive) return;
    record.drain(); // what it said before it ended still counts
    if (!record.alive) return; // and its last word may have been that it has ended
    record.alive = false;
    this.#records.delete(record);
    this.#blocked.delete(record.id);
    this.#awaited.delete(record.id);
    if (record.info !== undefined) {
      this.#byId.delete(record.id);
      for (const service of this.#services.values()) service.threadGone(record, exit);
      this.#futures.threadGone(record.info, exit);
    }
    record.close();
    this.#outputs.threadGone(record);
    this.recheckWaits();
  }

  written(thread: ThreadRecord, then: () => void): void {
    this.#outputs.written(thread, then);
  }

  recheckWaits(): void {
    if (this.#blocked.size > 0) this.#doubts.look();
  }

  /** Looks once for all that has come by then: a task that awaits a hundred others says so a hundred times. */
  #lookSoon(): void {
    if (this.#lookDue || this.#awaited.size === 0 || this.#blocked.size === 0) return;
    this.#lookDue = true;
    setImmediate(() => {
      this.#lookDue = false;
      this.#doubts.look();
    });
  }

  #tellDeadlock({ victim, cycle }: Deadlock): void {
    const { wait } = this.#blocked.get(victim) as BlockedThread;
    this.#blocked.delete(victim); // it gets its error and goes on; the others' waits end through it
    this.#byId.get(victim)?.post({ t: "deadlock", wait: wait.id, cycle });
  }

  #findAmongBlocked(): Deadlock | undefined {
    return findDeadlock(this.#blocked, (target, waiter) => this.#answerers(target, waiter));
  }

  /** A deadlock in which tasks that await have a part. */
  #findMixed(): Deadlock | undefined {
    if (this.#blocked.size === 0 || this.#awaited.size === 0) return undefined;
    const awaiting = new Map<string, AwaitingTask & { waits: Wait[] }>();
    for (const [thread, waits] of this.#awaited) {
      for (const wait of waits.values()) {
        const task = wait.within as string;
        const known = awaiting.get(task);
        if (known !== undefined) known.waits.push(wait);
        else awaiting.set(task, { task, thread, name: this.#byId.get(thread)?.info?.name ?? "?", waits: [wait] });
      }
    }
    return findDeadlock(this.#blocked, (target, waiter) => this.#answerers(target, waiter), awaiting);
  }

  #awaits(thread: number, wait: Wait): void {
    const waits = this.#awaited.get(thread) ?? new Map<number, Wait>();
    this.#awaited.set(thread, waits);
    waits.set(wait.id, wait);
  }

  #awaitsNoMore(thread: number, id: number): void {
    const waits = this.#awaited.get(thread);
    if (waits?.delete(id) === true && waits.size === 0) this.#awaited.delete(thread);
  }

  #hear(said: Hello): void {
    if ("links" in said) {
      this.#greet(said);
      return;
    }
    const record = this.#byId.get(said.from);
    if (record !== undefined) this.#handle(record, said.message);
  }

  #hearAll(): void {
    const port = this.#hello as unknown as MessagePort;
    for (let got = receiveMessageOnPort(port); got !== undefined; got = receiveMessageOnPort(port))
      this.#hear(got.message as Hello);
  }

  #greet(hello: Extract<Hello, { readonly links: unknown }>): void {
    const id = hello.links[0]?.id as number;
    if (this.#byId.has(id)) return;
    const channel = new BroadcastChannel(broadcastNames(this.root.id).forThread(id));
    const port = channel as unknown as MessagePort;
    const record: ThreadRecord = new ThreadRecord({
      bell: hello.bell,
      carriesPorts: false,
      send: (message) => channel.postMessage(message),
      drain: () => {
        this.#hearAll();
        this.#drain(record, port);
      },
      close: () => channel.close(),
    });
    channel.onmessage = (event) => {
      this.#hearAll(); // what it had said there comes before
      this.#handle(record, (event as unknown as { data: ToSupervisor }).data);
    };
    this.#records.add(record);
    this.#name(record, hello.links);
    record.post({ t: "welcome" });
  }

  #name(record: ThreadRecord, links: readonly ThreadLink[]): void {
    record.links = links;
    record.info = threadFromLinks(links);
    this.#byId.set(record.id, record);
  }

  /** Handles what waits in a thread's port, until nothing does, or one of the messages says that the thread has ended. */
  #drain(record: ThreadRecord, port: MessagePort): void {
    const next = () => (record.alive ? receiveMessageOnPort(port) : undefined); // a closed channel is no port to be asked
    for (let got = next(); got !== undefined; got = next()) this.#handle(record, got.message as ToSupervisor);
  }

  #handle(from: ThreadRecord, message: ToSupervisor): void {
    switch (message.t) {
      case "self":
        this.#name(from, message.links);
        return;
      case "thread":
        this.adopt(message.port, message.bell);
        return;
      case "gone": {
        this.#hearAll(); // it may have come and gone before its greeting was read
        const record = this.#byId.get(message.id);
        if (record !== undefined) this.gone(record, message.exit);
        return;
      }
      case "service":
        this.#load(message.name, message.url);
        return;
      case "call":
        this.#call(from, message);
        return;
      case "wait":
        this.#blocked.delete(from.id); // the order of blocking is the map's order
        if (message.wait.blocking)
          this.#blocked.set(from.id, { thread: from.id, name: from.info?.name ?? "?", wait: message.wait });
        else if (message.wait.within !== undefined) this.#awaits(from.id, message.wait);
        for (const service of this.#services.values()) service.waiting(from, message.wait);
        if (message.wait.blocking) this.recheckWaits();
        else this.#lookSoon();
        return;
      case "unwait":
        if (this.#blocked.get(from.id)?.wait.id === message.id) this.#blocked.delete(from.id);
        else this.#awaitsNoMore(from.id, message.id);
        this.#lookSoon(); // it may have been the last in its thread that could go on
        for (const service of this.#services.values()) service.unwaiting(from, message.id);
        return;
      case "there":
        return;
      case "confirm":
        this.#doubts.answered(message.ask, message.yes);
        return;
      case "written":
        this.#outputs.answered(message.ask);
        return;
      case "output":
        this.#passOutputOn(() => from.post({ t: "reply", seq: message.seq, ok: true, value: undefined }));
        return;
      case "future.hold":
        this.#futures.hold(message.id, from, message.task);
        return;
      case "future.carried":
        this.#futures.carried(message.id, from, message.task);
        return;
      case "future.delivered":
        this.#futures.delivered(message.id, from, message.callId);
        return;
      case "future.settle":
        this.#futures.settle(message.id, message.outcome, from);
        return;
      case "future.release":
        this.#futures.release(message.id, from);
        return;
      case "threads":
        from.post({
          t: "reply",
          seq: message.seq,
          ok: true,
          value: [...this.#byId.values()].map((record) => record.links),
        });
        return;
      default:
        message satisfies never;
    }
  }

  /** Has the threads that were made here hand over what they have written, and this one after them. */
  #passOutputOn(then: () => void): void {
    const made = [...this.#byId.values()].filter(({ info }) => info !== undefined && MADE_HERE.has(info.kind));
    let left = made.length + 1;
    const one = (): void => {
      left -= 1;
      if (left === 0) whenWritten(then);
    };
    for (const record of made) this.#outputs.written(record, one);
    one();
  }

  #load(name: string, url: string): void {
    if (this.#services.has(name)) return;
    const load = createRequire(import.meta.url);
    const module = load(fileURLToPath(url)) as { createService(api: SupervisorApi): SupervisorService };
    this.#services.set(name, module.createService(this));
  }

  #call(from: ThreadRecord, message: Extract<ToSupervisor, { t: "call" }>): void {
    const { seq } = message;
    const reply = seq === 0 ? undefined : (value: unknown) => from.post({ t: "reply", seq, ok: true, value });
    const service = this.#services.get(message.service);
    if (service === undefined) throw new Error(`no service ${message.service} was loaded before it was called`);
    const run = (): void => {
      if (seq !== 0 && this.#draining) {
        this.#deferred.push(run);
        return;
      }
      if (seq !== 0) this.#catchUp(from);
      try {
        service.call(from, message.body, reply);
      } catch (error) {
        // A bug of ours. Whoever asked is told; in any case the supervisor goes on for all the others.
        logger().error({ err: error, service: message.service }, "duck-ts supervisor: a call failed");
        if (seq !== 0) from.post({ t: "reply", seq, ok: false, error: encodeError(error) });
      }
    };
    run();
  }

  /**
   * Messages on different lines arrive in no particular order. Whoever asks must see what others had posted before: a
   * child that was handed a task must find the manager that its parent made before it submitted the task.
   */
  #catchUp(asking: ThreadRecord): void {
    if (this.#draining) return;
    this.#draining = true;
    try {
      this.#hearAll();
      for (const record of this.#records) if (record !== asking) record.drain();
    } finally {
      this.#draining = false;
    }
    // Questions that came up meanwhile: each needs a catching-up of its own, since others may have posted since.
    for (let next = this.#deferred.shift(); next !== undefined; next = this.#deferred.shift()) next();
  }

  /**
   * Of a task whose future was passed on (whoever submitted it passes on the answer too, also while it is blocked), or that
   * has the future as an argument.
   */
  #answerersOfTask({ target, of }: FutureTask): Answerers {
    const who = this.#answerers(target, of);
    if (who.live || who.busyWith !== undefined) return who;
    return { ...who, busyWith: who.anyOf.map(() => [`${of}.${target.callId}`]) };
  }

  #answerers(target: WaitTarget, waiter: number): Answerers {
    if (target.on === "future") {
      const settlers = this.#futures.settlers(target.id, waiter);
      if (settlers === undefined) return { live: true };
      const task = this.#futures.taskOf(target.id);
      if (task !== undefined) return this.#answerersOfTask(task);
      const carriers = this.#futures.carriersOf(target.id).map((carrier) => this.#answerersOfTask(carrier));
      return anyOf([{ live: false, anyOf: settlers }, ...carriers]);
    }
    for (const service of this.#services.values()) return service.answerers(target, waiter);
    return { live: true };
  }
}
