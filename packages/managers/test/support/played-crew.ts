/** Stands in for "../src/pool/crew.ts": threads that the test plays itself, step by step. */
import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import type { ThreadExit } from "@duck-ts/runtime/internal";
import * as board from "../../src/board.ts";
import type { AgentData } from "../../src/pool/agent.ts";
import { type AgentTask, type FromAgent, RING_BEGUN, type ToAgent } from "../../src/protocol.ts";

export const started: PlayedThread[] = [];

/** Stands in for the crew of tinypool's threads. */
export class Crew {
  start(
    data: AgentData,
    _transfer: unknown,
    { port }: { readonly port: MessagePort },
    _exitCode: unknown,
    onExit: (exit: ThreadExit) => void,
  ): { terminate(): void } {
    const thread = new PlayedThread(data, port, onExit);
    started.push(thread);
    return { terminate: () => thread.ends({ reason: "terminated", exitCode: undefined }) };
  }

  async destroy(): Promise<void> {
    // There are no threads.
  }
}

/** A worker's thread. What `agent.ts` does in one go, it does step by step. */
export class PlayedThread {
  readonly data: AgentData;
  readonly block: board.Words;
  isOver = false;
  readonly #control: MessagePort;
  readonly #onExit: (exit: ThreadExit) => void;

  constructor(data: AgentData, control: MessagePort, onExit: (exit: ThreadExit) => void) {
    this.data = data;
    this.block = data.block;
    this.#control = control;
    this.#onExit = onExit;
  }

  get place(): number {
    return board.stateOf(Atomics.load(this.block, board.PLACE));
  }

  say(message: FromAgent): void {
    this.#control.emit("message", message);
  }

  /** What it has been told since it was last asked. */
  told(): ToAgent[] {
    const all: ToAgent[] = [];
    for (;;) {
      const got = receiveMessageOnPort(this.data.control);
      if (got === undefined) return all;
      all.push(got.message as ToAgent);
    }
  }

  /** The tasks it has been given since it was last asked. */
  given(): AgentTask[] {
    return this.told().flatMap((message) => (message.t === "run" ? message.tasks : []));
  }

  comesUp(): void {
    this.say({ t: "ready", links: [{ id: 1_000 + started.indexOf(this), name: "played", kind: "pool" }] });
  }

  takesTurn(from: number, callId: number): void {
    Atomics.store(this.block, board.RUN_THREAD, from);
    Atomics.store(this.block, board.RUN_CALL, callId);
    Atomics.store(this.block, board.RUN_STATE, board.RUN_RUNNING);
    Atomics.add(this.data.head, board.ACTIVE, 1);
  }

  claims({ ring, open }: AgentTask): boolean {
    if (Atomics.compareExchange(this.block, ring, open, RING_BEGUN) !== open) return false;
    Atomics.sub(this.data.head, board.AHEAD, 1);
    return true;
  }

  /** Begins a task that the supervisor has given it. */
  begins(task: AgentTask): void {
    this.takesTurn(task.from, task.message[1]);
    if (!this.claims(task)) throw new Error("it was taken back");
  }

  /** Begins a task that its submitter has sent it. */
  beginsDirect(from: number, callId: number): void {
    this.takesTurn(from, callId);
    Atomics.store(this.block, board.TAKEN_CALL, callId);
  }

  /** The running task ends; its answer is still here. */
  counts(): void {
    Atomics.store(this.block, board.RUN_STATE, board.RUN_COUNTED);
    Atomics.sub(this.data.head, board.ACTIVE, 1);
    Atomics.add(this.data.head, board.COMPLETED, 1);
    Atomics.sub(this.data.head, board.OUTSTANDING, 1);
  }

  /** It has nothing left. Says so if it should. */
  isIdle(): void {
    const { block } = this;
    Atomics.store(block, board.RUN_STATE, board.RUN_NONE);
    board.movePlace(block, Atomics.load(block, board.PLACE), board.FREE);
    if (Atomics.load(this.data.head, board.QUEUED) === 0 && Atomics.load(this.data.head, board.AHEAD) === 0) return;
    if (board.movePlace(block, board.FREE, board.HELD)) this.say({ t: "free" });
  }

  ends(exit: ThreadExit): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#onExit(exit);
    this.#control.close();
  }

  crashes(): void {
    this.ends({ reason: "exit", exitCode: 1 });
  }
}
