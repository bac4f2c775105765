import type { Answerers } from "@duck-ts/runtime/internal";
import * as board from "../board.ts";
import { giveAhead } from "../pool/ahead.ts";
import { Fifo } from "../pool/fifo.ts";
import { RING } from "../protocol.ts";
import { type Given, type PoolWorker, type Queued, taskName } from "./pool-worker.ts";

/** What a pool has to do, who is there to do it, and who gets what. Starts and ends no thread. */
export class PoolWork {
  /** Tasks that wait for a worker. */
  readonly queue: Fifo<Queued> = new Fifo();
  readonly #head: board.Words;
  readonly #workers: (PoolWorker | undefined)[];

  constructor(head: board.Words, maxWorkers: number) {
    this.#head = head;
    this.#workers = new Array<PoolWorker | undefined>(maxWorkers).fill(undefined);
  }

  /** The workers that have not ended, those included that still start or are on their way out. */
  get live(): PoolWorker[] {
    return this.#workers.filter((worker) => worker !== undefined);
  }

  get hasRoom(): boolean {
    return this.#workers.includes(undefined);
  }

  get utilization(): number {
    return this.live.filter((worker) => worker.place !== board.FREE).length / this.#workers.length;
  }

  /** Where {@link hasRoom}. */
  add(worker: PoolWorker): void {
    this.#workers[this.#workers.indexOf(undefined)] = worker;
    Atomics.add(this.#head, board.WORKERS, 1);
  }

  remove(worker: PoolWorker): void {
    this.#workers[this.#workers.indexOf(worker)] = undefined;
    Atomics.sub(this.#head, board.WORKERS, 1);
  }

  has(worker: PoolWorker): boolean {
    return this.#workers.includes(worker);
  }

  /** Takes a task that has not begun from wherever it waits. */
  takeOut(name: string): Queued | undefined {
    const fits = (item: Queued): boolean => taskName(item) === name;
    const queued = this.queue.remove(fits);
    if (queued !== undefined) {
      Atomics.sub(this.#head, board.QUEUED, 1);
      return queued;
    }
    for (const worker of this.live) {
      const given = worker.given.find(fits);
      if (given !== undefined && worker.takeBack(given)) return given;
    }
    return undefined;
  }

  /** Takes everything out that fits and has not begun; gives it to `each`. */
  takeOutAll(fits: (item: Queued) => boolean, each: (item: Queued) => void): void {
    for (let item = this.queue.remove(fits); item !== undefined; item = this.queue.remove(fits)) {
      Atomics.sub(this.#head, board.QUEUED, 1);
      each(item);
    }
    for (const worker of this.live)
      for (const given of worker.given.filter(fits)) if (worker.takeBack(given)) each(given);
  }

  /**
   * Gives what waits to who is free, then has workers started by `spawn` (`false`: there are enough), and last gives busy
   * ones some of it ahead.
   */
  dispatch(spawn: () => boolean): void {
    while (this.queue.length > 0) {
      const worker = this.#takeFree();
      if (worker === undefined) break;
      worker.give(1, this.queue);
    }
    if (this.queue.length === 0) return;
    let starting = this.live.filter((worker) => worker.state === "starting").length;
    while (starting < this.queue.length && spawn()) starting += 1;
    if (starting > 0) return;
    for (const worker of this.live) {
      if (worker.state !== "ready" || this.queue.length === 0) continue;
      const maxWorkers = this.#workers.length;
      // Where there is but one, what its submitter has sent it was there before; and what is given goes before what is sent.
      if (maxWorkers === 1 && board.hasDirect(worker.block)) continue;
      worker.forget();
      const recent = Atomics.load(worker.block, board.RECENT_US);
      worker.give(giveAhead(recent, worker.given.length, this.queue.length, maxWorkers, RING - 2), this.queue);
    }
  }

  #takeFree(): PoolWorker | undefined {
    for (const worker of this.live) {
      if (worker.state !== "ready" || !board.movePlace(worker.block, board.FREE, board.HELD)) continue;
      worker.forget();
      return worker;
    }
    return undefined;
  }

  requeue(items: readonly Queued[]): void {
    Atomics.add(this.#head, board.QUEUED, items.length);
    this.queue.unshift(items);
  }

  /** A worker has nothing left while another may have more in hand than it can begin soon: half of that moves over. */
  steal(thief: PoolWorker): void {
    let open: Given[] = [];
    let victim: PoolWorker | undefined;
    for (const worker of this.live) {
      if (worker === thief) continue;
      const has = worker.given.filter((given) => worker.isOpen(given));
      if (has.length > open.length) {
        open = has;
        victim = worker;
      }
    }
    if (victim === undefined) return;
    const from = victim;
    const back = open.slice(Math.floor(open.length / 2)).filter((given) => from.takeBack(given));
    this.requeue(back);
    thief.give(back.length, this.queue);
  }

  /** Whom a thread waits for that waits for that task. */
  answerers(waiter: number, callId: number): Answerers {
    const name = `${waiter}.${callId}`;
    const workers = this.live;
    // Sent ahead is behind others only where there is but one worker.
    const only = this.#workers.length === 1 ? workers[0] : undefined;
    const its =
      workers.find((worker) => worker.runs(waiter, callId)) ?? (only?.hasAhead(waiter, callId) ? only : undefined);
    if (its !== undefined) {
      const busyWith = its.runs(waiter, callId) ? [name] : tasksIn(its);
      return { live: false, anyOf: [its.line.id], busyWith: [busyWith] };
    }
    const queued =
      this.queue.has((item) => taskName(item) === name) ||
      workers.some((worker) => worker.given.some((given) => taskName(given) === name && worker.isOpen(given)));
    if (!queued) return { live: true }; // on its way, or its answer is
    if (this.hasRoom) return { live: true };
    if (workers.some((worker) => worker.state !== "ready" || worker.place === board.FREE)) return { live: true };
    return { live: false, anyOf: workers.map((worker) => worker.line.id), busyWith: workers.map(tasksIn) };
  }
}

/** The task whose turn it is in that worker, and those that run beside it. */
export function tasksIn(worker: PoolWorker): string[] {
  const tasks = worker.besides.map(taskName);
  if (worker.isRunning) tasks.push(`${worker.turn.thread}.${worker.turn.callId}`);
  return tasks;
}
