import { performance } from "node:perf_hooks"; // the global one is a getter, and a test may have replaced it
import type { MessagePort, Transferable } from "node:worker_threads";
import { DuckError } from "../errors.ts";
import {
  blockUntil,
  drainAnswers,
  drainWhileBlocked,
  lookWhileBlocked,
  postedBySupervisor,
} from "../future/doorbell.ts";
import { currentThread, lineageLinks, rootShared, SUPERVISOR_STATE } from "../thread/identity.ts";
import { threadWide } from "../thread/shared-state.ts";
import { whenWritten } from "../thread/written.ts";
import { decodeThrown, encodeError } from "../wire/error-codec.ts";
import type { FromSupervisor, ToSupervisor } from "../wire/messages.ts";
import { launchSupervisor, SUPERVISOR_DEAD, SUPERVISOR_NONE, SUPERVISOR_READY } from "./launch.ts";
import { overBroadcast, overPort, type Wire } from "./wires.ts";

/** Whether nothing but ports keeps this thread's event loop going: no timer, no socket, nothing that is about to happen. */
function hasOnlyPorts(): boolean {
  return process.getActiveResourcesInfo().every((resource) => resource === "MessagePort");
}

type Pending = { settle(reply: Extract<FromSupervisor, { t: "reply" }>): void };

/** A thread's line to the supervisor. Asking blocks for one round trip; the supervisor itself never blocks. */
export class Line {
  readonly #wire: Wire;
  readonly #pending = new Map<number, Pending>();
  readonly #handlers: Handlers;
  #seq = 0;
  /** How many messages have come; it wraps as the supervisor's count does. */
  #received = 0;
  #holds = 0;
  /** Whether threads may have written something since their output was last taken. */
  #outputDue = false;
  #ended: DuckError | undefined;

  constructor(wire: Wire, handlers: Handlers) {
    this.#wire = wire;
    this.#handlers = handlers;
    wire.listen(
      (message) => this.#handle(message),
      () => this.#end(),
    );
    const drain = (): void => {
      if (this.#received !== postedBySupervisor()) this.#receiveAll();
    };
    drainWhileBlocked({ fromSupervisor: true, drain });
    lookWhileBlocked(() => this.post({ t: "there" }));
  }

  get carriesPorts(): boolean {
    return this.#wire.carriesPorts;
  }

  /** @throws DuckError (`DUCK_SUPERVISOR_ENDED`) if nobody is there any more at the other end. */
  assertOpen(): void {
    if (this.#ended !== undefined) throw supervisorEnded();
  }

  /** After the supervisor's end this says nothing to nobody. */
  post(message: ToSupervisor, transfer?: readonly Transferable[]): void {
    if (this.#ended === undefined && !this.#wire.post(message, transfer)) this.#end();
  }

  /** Sends to a service, expecting nothing back. */
  tell(service: string, body: unknown, transfer?: readonly Transferable[]): void {
    this.post({ t: "call", service, seq: 0, body }, transfer);
  }

  /** Asks a service and blocks for the answer (one round trip). */
  ask<T>(service: string, body: unknown): T {
    this.assertOpen();
    let reply: Extract<FromSupervisor, { t: "reply" }> | undefined;
    const seq = this.#register({
      settle: (given) => {
        reply = given;
      },
    });
    this.post({ t: "call", service, seq, body });
    const answered = blockUntil({ done: () => reply !== undefined, deadline: performance.now() + ANSWER_WITHIN_MS });
    this.#pending.delete(seq);
    if (!answered) throw supervisorSilent();
    return unwrap<T>(reply as unknown as Extract<FromSupervisor, { t: "reply" }>);
  }

  /** Asks a service without blocking. Keeps the process alive until the answer is there. */
  askAsync<T>(service: string, body: unknown): Promise<T> {
    return this.#request((seq) => ({ t: "call", service, seq, body }));
  }

  /** The threads that the supervisor knows, each as its links. */
  threads<T>(): Promise<T> {
    return this.#request((seq) => ({ t: "threads", seq }));
  }

  /** Keeps this thread's event loop alive until `letGo()` was called as often. */
  hold(): void {
    this.expectOutput();
    if (this.#holds++ === 0) this.#wire.ref();
  }

  letGo(): void {
    if (--this.#holds === 0) this.#wire.unref();
  }

  /** A thread will run code for this one, and may write to its standard streams. */
  expectOutput(): void {
    this.#outputDue = true;
  }

  /**
   * What threads write comes here by way of the supervisor, and the news that a task is done is faster: before the
   * process ends because there is nothing left to do, the last of it is taken.
   */
  takeOutput(): void {
    if (!this.#outputDue || this.#ended !== undefined) return;
    void this.#request((seq) => ({ t: "output", seq })).catch(() => undefined); // without a supervisor nothing comes
    this.#outputDue = false;
  }

  #request<T>(message: (seq: number) => ToSupervisor): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.assertOpen();
      this.hold();
      const seq = this.#register({
        settle: (reply) => {
          this.letGo();
          try {
            resolve(unwrap<T>(reply));
          } catch (error) {
            reject(error);
          }
        },
      });
      this.post(message(seq));
    });
  }

  /**
   * The supervisor is no more, however it ended, and with it every thread that it had made; or it has given this thread
   * up. Nothing that this thread waits for from others can come any more, except what has come already.
   */
  #end(): void {
    if (this.#ended !== undefined) return;
    this.#ended = supervisorEnded();
    if (currentThread().parent === null) {
      // The root speaks for it: threads with a channel in place of a port have no other sign.
      const { words } = rootShared();
      Atomics.store(words, SUPERVISOR_STATE, SUPERVISOR_DEAD);
      Atomics.notify(words, SUPERVISOR_STATE);
    }
    this.#receiveAll();
    drainAnswers();
    const error = encodeError(this.#ended);
    for (const [seq, pending] of [...this.#pending]) {
      this.#pending.delete(seq);
      pending.settle({ t: "reply", seq, ok: false, error });
    }
    for (const settle of this.#handlers.ended) settle(this.#ended);
  }

  #register(pending: Pending): number {
    this.#seq += 1;
    this.#pending.set(this.#seq, pending);
    return this.#seq;
  }

  #receiveAll(): void {
    for (let message = this.#wire.receive(); message !== undefined; message = this.#wire.receive())
      this.#handle(message);
  }

  #handle(message: FromSupervisor): void {
    this.#received = (this.#received + 1) | 0;
    switch (message.t) {
      case "welcome":
        return;
      case "reply": {
        const pending = this.#pending.get(message.seq);
        this.#pending.delete(message.seq);
        pending?.settle(message);
        return;
      }
      case "event":
        this.#handlers.events.get(message.service)?.(message.body);
        return;
      case "deadlock":
        this.#handlers.deadlock?.(message.wait, message.cycle);
        return;
      case "quiet":
        this.post({ t: "confirm", ask: message.ask, yes: hasOnlyPorts() });
        return;
      case "stands":
        if (this.#handlers.stands === undefined) this.post({ t: "confirm", ask: message.ask, yes: false });
        else this.#handlers.stands(message.wait, message.ask);
        return;
      case "written":
        whenWritten(() => this.post({ t: "written", ask: message.ask }));
        return;
      case "future.settled":
        this.#handlers.future?.(message.id, message.outcome);
        return;
      case "future.alone":
        this.#handlers.futureAlone?.(message.id);
        return;
      default:
        message satisfies never;
    }
  }
}

/** What other rooms of this thread do with messages that are not replies. Set by those rooms, once. */
export type Handlers = {
  readonly events: Map<string, (body: unknown) => void>;
  /** The supervisor has ended: what depended on it fails with this error. */
  readonly ended: Set<(error: DuckError) => void>;
  deadlock?: (wait: number, cycle: readonly string[]) => void;
  stands?: (wait: number, ask: number) => void;
  future?: (id: string, outcome: Extract<FromSupervisor, { t: "future.settled" }>["outcome"]) => void;
  futureAlone?: (id: string) => void;
};

/** The supervisor answers in microseconds; this bound exists so that a bug in it cannot freeze anyone for ever. */
const ANSWER_WITHIN_MS = 30_000;

function supervisorSilent(): DuckError {
  return new DuckError(
    "DUCK_SUPERVISOR_SILENT",
    "The duck-ts supervisor thread did not answer within 30 s. It may have been killed; restart the process, and please report how it came about.",
  );
}

function supervisorEnded(): DuckError {
  return new DuckError(
    "DUCK_SUPERVISOR_ENDED",
    "The duck-ts supervisor thread has ended, and with it every loop and pool of this process; their tasks are lost. " +
      "It was terminated, ran out of memory or failed, and then standard error has the reason. Restart the process.",
  );
}

function unwrap<T>(reply: Extract<FromSupervisor, { t: "reply" }>): T {
  if (!reply.ok) throw decodeThrown(reply.error);
  return reply.value as T;
}

/** The handlers of this thread's line. May be filled before the line exists. */
export function lineHandlers(): Handlers {
  return threadWide<Handlers>("line-handlers", () => ({ events: new Map(), ended: new Set() }));
}

const own: { line: Line | undefined } = threadWide("line", () => ({ line: undefined }));

/** Gives this thread the port that its spawner made for it. Called before any user code. */
export function adoptLine(port: MessagePort): Line {
  own.line = new Line(overPort(port), lineHandlers());
  own.line.post({ t: "self", links: lineageLinks(currentThread()) });
  return own.line;
}

/** This thread's line, if something has needed it so far. */
export function existingLine(): Line | undefined {
  return own.line;
}

/** How long a foreign thread waits for its root to have a supervisor before it becomes a root of its own. */
const ROOT_PATIENCE_MS = 1_000;

/** A supervisor that ends before it is up leaves its port open: it has this long to come up. */
const UP_WITHIN_MS = 30_000;

function launched(): Line {
  const port = launchSupervisor();
  const { words } = rootShared();
  const until = performance.now() + UP_WITHIN_MS;
  const inTime = (): boolean => Atomics.load(words, SUPERVISOR_STATE) === SUPERVISOR_READY || performance.now() < until;
  const made = new Line(overPort(port, inTime), lineHandlers());
  process.on("beforeExit", () => made.takeOutput());
  return made;
}

/** This thread's line; made at the first need, and the supervisor with it. May block a foreign thread for some milliseconds. */
export function line(): Line {
  if (own.line !== undefined) return own.line;
  const { id, words } = rootShared();
  if (currentThread().parent === null) {
    own.line = launched();
    return own.line;
  }
  const deadline = performance.now() + ROOT_PATIENCE_MS;
  for (
    let state = Atomics.load(words, SUPERVISOR_STATE);
    state !== SUPERVISOR_READY;
    state = Atomics.load(words, SUPERVISOR_STATE)
  ) {
    if (state === SUPERVISOR_NONE && performance.now() > deadline) {
      // The root loaded the runtime but stands still in code of its own and never made a supervisor: one for this subtree.
      own.line = launched();
      return own.line;
    }
    if (state === SUPERVISOR_DEAD) throw supervisorEnded();
    Atomics.wait(words, SUPERVISOR_STATE, state, 50);
  }
  own.line = new Line(overBroadcast({ id, words }), lineHandlers());
  return own.line;
}
