/** One producing thread, as the consumer of a stream sees it. */
import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import { decodeValue, ring } from "@duck-ts/runtime/internal";
import type { StreamItem, StreamMessage } from "../protocol.ts";
import { NOTHING, RingReader } from "./ring.ts";
import { PUBLISHED, RESERVED, WAITS } from "./words.ts";

export class Inlet {
  readonly id: string;
  readonly thread: number;
  /** Nothing new will come. */
  over = false;
  readonly #words: Int32Array;
  readonly #ring: RingReader;
  readonly #bell: Int32Array;
  readonly #port: MessagePort | undefined;
  /** Items that came as messages, in order. */
  #queue: StreamItem[] = [];
  #head = 0;
  #expected = 0;

  constructor(
    from: {
      readonly outlet: string;
      readonly thread: number;
      readonly ring: Int32Array;
      readonly bell: Int32Array;
      readonly port: MessagePort | undefined;
    },
    onNews: (closed: boolean) => void,
  ) {
    this.id = from.outlet;
    this.thread = from.thread;
    this.#words = from.ring;
    this.#ring = new RingReader(from.ring);
    this.#bell = from.bell;
    this.#port = from.port;
    const port = from.port;
    if (port === undefined) return;
    port.on("message", (message: StreamMessage) => {
      this.receive(message);
      onNews(false);
    });
    port.on("close", () => onNews(true));
    port.unref();
  }

  receive(message: StreamMessage): void {
    if (message !== 0) this.#queue.push(message);
  }

  /** The next item of this producer, or `NOTHING`. */
  take(): unknown {
    for (;;) {
      if (this.#ring.has(this.#expected)) {
        this.#expected = (this.#expected + 1) >>> 0;
        return this.#ring.take();
      }
      const item = this.#queue[this.#head];
      if (item !== undefined && item[0] === this.#expected) return this.#takeMessage(item);
      if (!this.#fetch()) return NOTHING;
    }
  }

  /** Whether it has handed over everything that its thread has published. */
  get empty(): boolean {
    return Atomics.load(this.#words, PUBLISHED) >>> 0 === this.#expected;
  }

  /** Places that its thread took and, having ended, will never fill. */
  get lost(): number {
    return Atomics.load(this.#words, RESERVED) - Atomics.load(this.#words, PUBLISHED);
  }

  get waits(): boolean {
    return Atomics.load(this.#words, WAITS) === 1;
  }

  wake(): void {
    ring(this.#bell);
  }

  close(): void {
    this.#port?.close();
  }

  #takeMessage(item: StreamItem): unknown {
    this.#head += 1;
    if (this.#head === this.#queue.length) {
      this.#queue = [];
      this.#head = 0;
    }
    this.#expected = (this.#expected + 1) >>> 0;
    return decodeValue(item[1], item[2]);
  }

  /**
   * Takes messages that have arrived, without an event loop, where something must have. `true`: look again. Also where it
   * was only a "look": the item it speaks of came between the look before and now, and nobody will speak of it again.
   */
  #fetch(): boolean {
    if (this.#port === undefined || this.empty) return false;
    let any = false;
    for (let got = receiveMessageOnPort(this.#port); got !== undefined; got = receiveMessageOnPort(this.#port)) {
      any = true;
      this.receive(got.message as StreamMessage);
    }
    return any;
  }
}
