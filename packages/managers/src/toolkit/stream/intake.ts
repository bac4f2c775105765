/** The consuming end of a stream: gathers what its producers have put, in the order of each, and gives it out. */
import { performance } from "node:perf_hooks"; // the global one is a getter, and a test may have replaced it
import { setImmediate } from "node:timers"; // not the one that a test may have replaced by a clock of its own
import { currentThread, line, threadWide } from "@duck-ts/runtime/internal";
import { consumedStreams, type StreamNews, tellToolkit } from "../client.ts";
import type { FromToolkit } from "../protocol.ts";
import { HeldUp } from "./held-up.ts";
import { Inlet } from "./inlet.ts";
import { roomId, type StreamPassport } from "./outlet.ts";
import { itemsIn, Places } from "./places.ts";
import { NOTHING } from "./ring.ts";
import { BLOCKED, CLOSED, CONSUMER_WAITS, newStreamWords, OPEN, RESERVED, STATE, TAKEN } from "./words.ts";

/** Somebody who waits for the next item. */
export interface Waiter {
  /** What it was asked of. Dropped by everybody else, it must not be collected, and closed for that, before it has answered. */
  readonly asked: object;
  give(value: unknown): void;
  fail(error: unknown): void;
  /** There will be none. */
  end(): void;
}

export type IntakeOptions = {
  readonly maxSize: number;
  readonly label: string;
  readonly isChannel?: true;
  /** Whether nothing more will come. */
  readonly finished: () => boolean;
};

/** Up to this bound a blocked producer is woken by every item that is taken; above it by several, or a turn later. */
const SMALL = 16;

/** After so long without a turn of the event loop the loop gets one, however many items are there. */
const TURN_MS = 10;

export class Intake implements StreamNews {
  readonly #options: IntakeOptions;
  readonly words: Int32Array = newStreamWords();
  readonly #inlets: Inlet[] = [];
  readonly #local: unknown[] = [];
  readonly #places: Places;
  readonly #waiters = new Set<Waiter>();
  readonly #roomWaiters: (() => void)[] = [];
  readonly #heldUp: HeldUp = new HeldUp(this);
  #passport: StreamPassport | undefined;
  #turn = 0;
  #wakeLater = false;
  #steps = 0;
  #taken = 0;
  #burstSince = 0;
  #pausing = false;

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#places = new Places(this.words, new Int32Array(RESERVED + 1), options.maxSize);
  }

  get open(): boolean {
    return Atomics.load(this.words, STATE) === OPEN;
  }

  get label(): string {
    return this.#options.label;
  }

  get isChannel(): boolean {
    return this.#options.isChannel === true;
  }

  get maxSize(): number {
    return this.#options.maxSize;
  }

  /** Items that are there or being made. */
  get count(): number {
    return itemsIn(this.words);
  }

  /** How many items were taken when a producer came to wait for room, if nobody waits for the next item. */
  stuckAfter(): number | undefined {
    return this.#waiters.size === 0 && Atomics.load(this.words, BLOCKED) > 0 ? this.#taken : undefined;
  }

  stuckThreads(): readonly number[] {
    return this.#inlets.filter((inlet) => inlet.waits).map((inlet) => inlet.thread);
  }

  /** What a thread needs to produce for this stream. From now on the supervisor watches over it. */
  passport(): StreamPassport {
    if (this.#passport !== undefined) return this.#passport;
    const counter = threadWide("toolkit-streams", () => ({ next: 0 }));
    counter.next += 1;
    const id = `${currentThread().id}.${counter.next}`;
    const { maxSize, label } = this.#options;
    const own = line();
    this.#passport = { id, owner: currentThread().id, words: this.words, maxSize, label, ports: own.carriesPorts };
    consumedStreams().set(id, this);
    tellToolkit({ op: "stream.open", id, words: this.words });
    own.post({ t: "future.hold", id: roomId(id) });
    for (const _ of this.#waiters) own.hold();
    return this.#passport;
  }

  /** The next item if it is there and nobody waits before; else `NOTHING`. */
  takeNow(): unknown {
    if (this.#waiters.size > 0 || this.#mustPause()) return NOTHING;
    return this.#take();
  }

  /** Serves `waiter` as soon as there is something. */
  request(waiter: Waiter): void {
    this.#waiters.add(waiter);
    // Whoever waits keeps the thread alive: the producer's last word may still be on its way when its task has ended.
    if (this.#passport !== undefined) line().hold();
    if (!this.#pausing) this.serve();
  }

  /** `false`: it has been served already. */
  withdraw(waiter: Waiter): boolean {
    return this.#remove(waiter);
  }

  /** Looks for items for those who wait, and tells them when there will be none. */
  serve(): void {
    this.#burstSince = performance.now();
    for (const waiter of this.#waiters) {
      let item: unknown;
      try {
        item = this.#take();
        if (item === NOTHING) {
          Atomics.store(this.words, CONSUMER_WAITS, 1);
          item = this.#take(); // it may have come between the look and the request to be told
        }
      } catch (error) {
        this.#remove(waiter);
        waiter.fail(error);
        continue;
      }
      if (item === NOTHING) break;
      this.#remove(waiter);
      waiter.give(item);
    }
    if (this.#waiters.size === 0) {
      Atomics.store(this.words, CONSUMER_WAITS, 0);
      return;
    }
    if (!this.#options.finished()) return;
    for (const waiter of this.#waiters) {
      this.#remove(waiter);
      waiter.end();
    }
  }

  /** Nothing may be put any more; blocked producers wake. `false`: it was closed before. */
  shut(): boolean {
    const first = Atomics.compareExchange(this.words, STATE, OPEN, CLOSED) === OPEN;
    this.#heldUp.goOn();
    this.#wakeProducers();
    for (const tell of this.#roomWaiters.splice(0)) tell();
    return first;
  }

  /** No item will be taken any more. Needs no second call. */
  dispose(): void {
    this.shut();
    for (const inlet of this.#inlets.splice(0)) inlet.close();
    this.#local.length = 0;
    if (this.#passport === undefined) return;
    const { id } = this.#passport;
    if (!consumedStreams().delete(id)) return;
    tellToolkit({ op: "stream.forget", id });
    line().post({ t: "future.release", id: roomId(id) });
  }

  /** A place for an item that this very thread makes; `false` if there is none. */
  reserveHere(): boolean {
    return this.#places.reserve();
  }

  unreserveHere(): void {
    this.#places.unreserve();
  }

  putHere(value: unknown): void {
    this.#local.push(value);
    if (this.#waiters.size > 0) this.serve();
  }

  /** Until there may be a place, or the stream is closed. */
  roomHere(): Promise<void> {
    return new Promise((resolve) => this.#roomWaiters.push(resolve));
  }

  joined(event: Extract<FromToolkit, { op: "stream.joined" }>): void {
    const inlet: Inlet = new Inlet(event, (closed) => {
      if (this.#waiters.size > 0) this.serve();
      if (closed) this.#discard(inlet);
    });
    this.#inlets.push(inlet);
    inlet.wake(); // it may have begun to wait for room before we knew of it
    if (this.#waiters.size > 0) this.serve();
  }

  relayed({ outlet, message }: Extract<FromToolkit, { op: "stream.relayed" }>): void {
    this.#inlets.find((inlet) => inlet.id === outlet)?.receive(message);
    if (this.#waiters.size > 0) this.serve();
  }

  heldUp(task: string): void {
    if (this.open && this.stuckAfter() !== undefined) this.#heldUp.add(task);
  }

  left(thread: number): void {
    for (const inlet of [...this.#inlets]) {
      if (inlet.thread !== thread) continue;
      Atomics.add(this.words, TAKEN, inlet.lost);
      if (inlet.waits) Atomics.sub(this.words, BLOCKED, 1);
      this.#discard(inlet);
    }
    this.#roomMade();
    if (this.#waiters.size > 0) this.serve();
  }

  #take(): unknown {
    if (this.#local.length > 0) {
      const value = this.#local.shift();
      this.#countTaken();
      return value;
    }
    const inlets = this.#inlets;
    for (let looked = inlets.length; looked > 0; looked--) {
      if (this.#turn >= inlets.length) this.#turn = 0;
      const inlet = inlets[this.#turn];
      if (inlet === undefined) break;
      let item: unknown;
      try {
        item = inlet.take();
      } catch (error) {
        this.#countTaken();
        throw error;
      }
      if (item !== NOTHING) {
        // A producer keeps its turn for a while: its ring is warm.
        if ((this.#taken & 31) === 0) this.#turn += 1;
        this.#countTaken();
        return item;
      }
      if (inlet.over) this.#discard(inlet);
      this.#turn += 1;
    }
    return NOTHING;
  }

  #countTaken(): void {
    this.#taken += 1;
    Atomics.add(this.words, TAKEN, 1);
    this.#roomMade();
  }

  #roomMade(): void {
    this.#heldUp.goOn();
    for (const tell of this.#roomWaiters.splice(0)) tell();
    if (Atomics.load(this.words, BLOCKED) === 0) return;
    const { maxSize } = this.#options;
    if (maxSize <= SMALL || this.count <= maxSize - (maxSize >> 2)) this.#wakeProducers();
    else if (!this.#wakeLater) {
      // To wake a thread for each single place costs more than the item; by the end of the turn it is woken anyway.
      this.#wakeLater = true;
      setImmediate(() => {
        this.#wakeLater = false;
        this.#wakeProducers();
      });
    }
  }

  #wakeProducers(): void {
    for (const inlet of this.#inlets) if (inlet.waits) inlet.wake();
  }

  /** Whether the event loop needs a turn before the next item is given. */
  #mustPause(): boolean {
    if (this.#pausing) return true;
    if ((++this.#steps & 127) !== 0) return false;
    if (performance.now() - this.#burstSince < TURN_MS) return false;
    this.#pausing = true;
    setImmediate(() => {
      this.#pausing = false;
      this.serve();
    });
    return true;
  }

  /** Forgets a producer that has ended, once everything of it was taken. */
  #discard(inlet: Inlet): void {
    inlet.over = true;
    const at = this.#inlets.indexOf(inlet);
    if (at === -1 || !inlet.empty) return;
    this.#inlets.splice(at, 1);
    inlet.close();
  }

  #remove(waiter: Waiter): boolean {
    if (!this.#waiters.delete(waiter)) return false;
    if (this.#passport !== undefined) line().letGo();
    return true;
  }
}
