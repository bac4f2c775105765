import type { MessagePort } from "node:worker_threads";
import type { ThreadLink, ThreadRecord } from "@duck-ts/runtime/internal";
import * as board from "../board.ts";
import type { CrewMember } from "../pool/crew.ts";
import { type AgentTask, type QueuedTask, RING, RING_TAKEN_BACK, type ToAgent } from "../protocol.ts";
import { transferables } from "./transferables.ts";

/** A task that waits, and whose it is. */
export type Queued = { readonly from: ThreadRecord; readonly task: QueuedTask };

/** One that a worker was given. `word`, `ticket`: by which it can be taken back; see `AgentTask`. */
export type Given = Queued & { readonly word: number; readonly ticket: number };

/** `12.7`: the submitting thread and its number for the call. */
export function taskName({ from, task }: Queued): string {
  return `${from.id}.${task.message[1]}`;
}

/** One worker of a pool as the supervisor sees it: what it was given, what it runs, and who may give it more. */
export class PoolWorker {
  /** Unique in the pool. */
  readonly number: number;
  readonly control: MessagePort;
  readonly block: board.Words;
  readonly line: ThreadRecord;
  readonly #head: board.Words;
  /** Set as soon as the thread was started. */
  member!: CrewMember;
  links: readonly ThreadLink[] = [];
  state: "starting" | "ready" | "retiring" | "gone" = "starting";
  /** Tasks it was given over the control port and has not begun, as far as is known, and the one it began last. */
  given: Given[] = [];
  /** Tasks that run there beside the one whose turn it is, because that one awaits them. */
  readonly besides: Queued[] = [];
  /** Whether it has answered since it was last asked. */
  heard = true;
  idleTimer: NodeJS.Timeout | undefined;
  /** The submitters that can send it tasks, by their numbers here. */
  readonly #seats: (ThreadRecord | undefined)[] = [];
  #nextTicket = 0;
  /** Words of the block that no given task uses. */
  readonly #freeWords: number[] = Array.from({ length: RING }, (_, word) => word);

  constructor(number: number, control: MessagePort, block: board.Words, line: ThreadRecord, head: board.Words) {
    this.number = number;
    this.control = control;
    this.block = block;
    this.line = line;
    this.#head = head;
  }

  /** The state of the place in front of it; see board.ts. */
  get place(): number {
    return board.stateOf(Atomics.load(this.block, board.PLACE));
  }

  get isRunning(): boolean {
    return Atomics.load(this.block, board.RUN_STATE) === board.RUN_RUNNING;
  }

  /** The task whose turn it is, or was last. */
  get turn(): { readonly thread: number; readonly callId: number } {
    return { thread: Atomics.load(this.block, board.RUN_THREAD), callId: Atomics.load(this.block, board.RUN_CALL) };
  }

  runs(thread: number, callId: number): boolean {
    const { turn } = this;
    return this.isRunning && turn.callId === callId && turn.thread === thread;
  }

  /** Whether that task was sent here by its submitter, behind others, and has not begun. */
  hasAhead(thread: number, callId: number): boolean {
    const place = Atomics.load(this.block, board.PLACE);
    return (
      board.tasksBefore(place) > 0 &&
      this.#seats[board.seatOf(place)]?.id === thread &&
      Atomics.load(this.block, board.TAKEN_CALL) < callId
    );
  }

  /** Gives a submitter a number here; `undefined`: it has one, or there are no more. */
  seat(submitter: ThreadRecord): number | undefined {
    if (this.#seats.includes(submitter)) return undefined;
    const free = this.#seats.indexOf(undefined);
    const seat = free === -1 ? this.#seats.length : free;
    if (seat === board.SEATS) return undefined;
    this.#seats[seat] = submitter;
    return seat;
  }

  /** The submitter has ended, and the worker has nothing of it any more. */
  left(seat: number): void {
    this.#seats[seat] = undefined;
  }

  get submitters(): ThreadRecord[] {
    return this.#seats.filter((submitter) => submitter !== undefined);
  }

  /** The submitter whose tasks are before it, and how many have not begun. They go back to it when this dies. */
  taker(
    place: number = Atomics.load(this.block, board.PLACE),
  ): { readonly thread: ThreadRecord; readonly waiting: number } | undefined {
    const thread = this.#seats[board.seatOf(place)];
    if ((board.stateOf(place) !== board.TAKEN && board.tasksBefore(place) === 0) || thread === undefined)
      return undefined;
    const { turn } = this;
    const runsIts =
      this.isRunning && turn.thread === thread.id && turn.callId === Atomics.load(this.block, board.TAKEN_CALL);
    return { thread, waiting: Math.max(0, board.tasksBefore(place) - (runsIts ? 1 : 0)) };
  }

  /** What that thread has sent here and has not begun is not run any more. */
  submitterGone(thread: ThreadRecord): void {
    const seat = this.#seats.indexOf(thread);
    if (this.taker()?.thread === thread) Atomics.store(this.block, board.GONE_SEAT, seat + 1);
  }

  isOpen(given: Given): boolean {
    return Atomics.load(this.block, given.word) === given.ticket;
  }

  /** Whether something is on its way to it. */
  get hasOpen(): boolean {
    return this.given.some((given) => this.isOpen(given));
  }

  /** Drops the memory of tasks that it has begun, except the last, which may be running. */
  forget(): void {
    let begun = 0;
    while (begun < this.given.length && !this.isOpen(this.given[begun] as Given)) begun += 1;
    if (begun > 1) for (const gone of this.given.splice(0, begun - 1)) this.#freeWords.push(gone.word);
  }

  /** `false`: it has begun, or what was moved here lives only here. */
  takeBack(given: Given): boolean {
    if (
      given.task.moved ||
      Atomics.compareExchange(this.block, given.word, given.ticket, RING_TAKEN_BACK) !== given.ticket
    )
      return false;
    Atomics.sub(this.#head, board.AHEAD, 1);
    this.given.splice(this.given.indexOf(given), 1);
    this.#freeWords.push(given.word);
    return true;
  }

  /** Gives it up to `count` tasks, one after the other from `next`, which is told of each that was taken. */
  give(count: number, next: { peek(): Queued | undefined; shift(): void }): void {
    const batch: AgentTask[] = [];
    for (let given = 0; given < count; given++) {
      const item = next.peek();
      if (item === undefined || this.#freeWords.length === 0) break;
      // What was moved here lives only once: it goes when it can begin, so that no crash but its own loses it.
      if (item.task.moved && given > 0) break;
      next.shift();
      // In this order: who finds nothing queued finds it given.
      Atomics.add(this.#head, board.AHEAD, 1);
      Atomics.sub(this.#head, board.QUEUED, 1);
      const ticket = this.#nextTicket;
      this.#nextTicket = (ticket + 1) & 0x3fffffff;
      const word = this.#freeWords.pop() as number;
      Atomics.store(this.block, word, ticket);
      this.given.push({ ...item, word, ticket });
      const task: AgentTask = {
        from: item.from.id,
        message: item.task.message,
        ring: word,
        open: ticket,
        beside: false,
      };
      if (item.task.moved) this.tell({ t: "run", tasks: [task] }, transferables(item.task.message[3]));
      else batch.push(task);
    }
    if (batch.length > 0) this.tell({ t: "run", tasks: batch });
  }

  runBeside(item: Queued): void {
    this.besides.push({ from: item.from, task: item.task });
    Atomics.add(this.#head, board.ACTIVE, 1);
    const task: AgentTask = { from: item.from.id, message: item.task.message, ring: -1, open: 0, beside: true };
    this.tell({ t: "run", tasks: [task] }, item.task.moved ? transferables(item.task.message[3]) : []);
  }

  /** Takes the place away from everybody for good, if nobody has it. */
  close(): boolean {
    return board.movePlace(this.block, board.FREE, board.EMPTY);
  }

  tell(message: ToAgent, transfer: readonly unknown[] = []): void {
    this.control.postMessage(message, transfer as never);
  }
}
