/** The producing end of a stream, in any thread but the consumer's. */
import { MessageChannel, type MessagePort, type Transferable } from "node:worker_threads";
import { BlockingNotAllowedError, DataNotCloneableError, DeadlockError } from "@duck-ts/runtime";
import {
  beginWait,
  blockingForbidden,
  blockUntil,
  currentTaskId,
  currentThread,
  encodeValue,
  explainNotCloneable,
  line,
  ownDoorbell,
  REPORT_AFTER_MS,
  threadWide,
} from "@duck-ts/runtime/internal";
import { tellToolkit } from "../client.ts";
import type { StreamMessage } from "../protocol.ts";
import { Places } from "./places.ts";
import { newRing, RingWriter } from "./ring.ts";
import { BLOCKED, CONSUMER_WAITS, OPEN, PUBLISHED, STATE, WAITS } from "./words.ts";

/** How a stream is introduced to a thread that will produce for it. */
export type StreamPassport = {
  readonly id: string;
  /** The consuming thread. */
  readonly owner: number;
  readonly words: Int32Array;
  readonly maxSize: number;
  /** What people call it, in messages about deadlocks. */
  readonly label: string;
  /** Whether a port can be brought to the consumer. */
  readonly ports: boolean;
};

/** The id under which waits for room are told to the supervisor: the consumer is who could end them. */
export function roomId(streamId: string): string {
  return `room:${streamId}`;
}

export class Outlet {
  readonly #stream: StreamPassport;
  readonly #words: Int32Array;
  readonly #own: Int32Array;
  readonly #places: Places;
  readonly #ring: RingWriter;
  readonly #port: MessagePort | undefined;
  readonly #id: string;
  #seq = 0;

  /** Tells the consumer of this end, without waiting for anything. */
  constructor(stream: StreamPassport) {
    this.#stream = stream;
    this.#words = stream.words;
    this.#own = newRing(stream.maxSize);
    this.#places = new Places(stream.words, this.#own, stream.maxSize);
    this.#ring = new RingWriter(this.#own);
    const counter = threadWide("toolkit-outlets", () => ({ next: 0 }));
    counter.next += 1;
    this.#id = `${currentThread().id}.${counter.next}`;
    let there: MessagePort | undefined;
    if (stream.ports && line().carriesPorts) {
      const { port1, port2 } = new MessageChannel();
      this.#port = port1;
      there = port2;
    }
    tellToolkit(
      {
        op: "stream.join",
        id: stream.id,
        owner: stream.owner,
        outlet: this.#id,
        ring: this.#own,
        bell: ownDoorbell(),
        port: there,
      },
      there === undefined ? [] : [there],
    );
  }

  get open(): boolean {
    return Atomics.load(this.#words, STATE) === OPEN;
  }

  /**
   * Takes a place for the next item; blocks this thread while there is none. `false`: the stream is closed.
   *
   * @throws DeadlockError if the consumer waits, directly or through others, for this thread.
   * @throws BlockingNotAllowedError in a thread that must not stand still.
   */
  reserve(): boolean {
    if (!this.open) return false;
    if (this.#places.reserve()) return this.#stillOpen();
    const forbidden = blockingForbidden();
    if (forbidden !== undefined) throw new BlockingNotAllowedError(currentThread().name, forbidden);
    let reserved = false;
    let report: ReturnType<typeof beginWait> | undefined;
    Atomics.store(this.#own, WAITS, 1);
    Atomics.add(this.#words, BLOCKED, 1);
    try {
      blockUntil({
        done: () => {
          reserved = this.open && this.#places.reserve();
          return reserved || !this.open || report?.deadlock !== undefined;
        },
        deadline: Number.POSITIVE_INFINITY,
        patienceMs: REPORT_AFTER_MS,
        onPatienceLost: () => {
          report = beginWait(
            { on: "future", id: roomId(this.#stream.id), label: `room in ${this.#stream.label}` },
            true,
          );
          const task = currentTaskId();
          if (task !== undefined) tellToolkit({ op: "stream.heldUp", id: this.#stream.id, task });
        },
        onSleep: () => report?.stands(),
      });
    } finally {
      Atomics.store(this.#own, WAITS, 0);
      Atomics.sub(this.#words, BLOCKED, 1);
      report?.end();
    }
    if (reserved) return this.#stillOpen();
    if (!this.open) return false;
    throw new DeadlockError(report?.deadlock ?? [], "Let the consumer take items before it waits, or raise maxSize.");
  }

  /** Gives the place back that {@link reserve} took. */
  unreserve(): void {
    this.#places.unreserve();
    this.wakeConsumer();
  }

  /**
   * Hands over the item for which a place was taken. It is there for the consumer when this returns.
   *
   * @throws DataNotCloneableError; the place is given back then.
   */
  publish(value: unknown): void {
    try {
      if (this.#ring.write(this.#seq, value)) {
        if (Atomics.load(this.#words, CONSUMER_WAITS) === 1) this.wakeConsumer();
      } else {
        const transfer: Transferable[] = [];
        const encoded = encodeValue(value, transfer, "item");
        this.#post([this.#seq, encoded.value, encoded.specials], transfer);
        Atomics.add(this.#own, PUBLISHED, 1);
      }
    } catch (cause) {
      this.unreserve();
      throw cause instanceof DataNotCloneableError ? cause : explainNotCloneable(value, "item", { cause });
    }
    this.#seq = (this.#seq + 1) >>> 0;
  }

  /** Makes the consumer look again, if it waits. */
  wakeConsumer(): void {
    if (Atomics.compareExchange(this.#words, CONSUMER_WAITS, 1, 0) === 1) this.#post(0, []);
  }

  /** Nothing more will come from this end. */
  close(): void {
    this.#port?.close();
  }

  #stillOpen(): boolean {
    if (this.open) return true;
    this.unreserve();
    return false;
  }

  #post(message: StreamMessage, transfer: readonly Transferable[]): void {
    if (this.#port !== undefined) this.#port.postMessage(message, [...transfer]);
    else tellToolkit({ op: "stream.relay", id: this.#stream.id, outlet: this.#id, message });
  }
}
