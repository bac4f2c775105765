import { ring, type ThreadRecord } from "@duck-ts/runtime/internal";
import type { StreamMessage, ToToolkit } from "../protocol.ts";
import { CONSUMER_GONE, STATE } from "../stream/words.ts";
import type { ToolkitContext } from "./toolkit-host.ts";

type Stream = { readonly owner: ThreadRecord; readonly words: Int32Array; readonly bells: Map<number, Int32Array> };

/**
 * Which streams (channels, iterables) have ends in two threads. Brings a producer's port to the consumer, and sees to it
 * that neither end waits for a thread that is no more.
 */
export class Streams {
  readonly #context: ToolkitContext;
  readonly #open = new Map<string, Stream>();

  constructor(context: ToolkitContext) {
    this.#context = context;
  }

  open(owner: ThreadRecord, id: string, words: Int32Array): void {
    this.#open.set(id, { owner, words, bells: new Map() });
  }

  join(
    from: ThreadRecord,
    { id, owner, outlet, ring: items, bell, port }: Extract<ToToolkit, { op: "stream.join" }>,
  ): void {
    // The consumer opened it before it gave it away, but on a line of its own, which may not have been read yet.
    if (!this.#open.has(id)) this.#context.api.thread(owner)?.drain();
    const stream = this.#open.get(id);
    if (stream === undefined) {
      // The consumer has closed it or has ended. Its words say so, if it could still write them.
      port?.close();
      ring(bell);
      return;
    }
    stream.bells.set(from.id, bell);
    const transfer = port === undefined ? [] : [port];
    this.#context.tell(
      stream.owner,
      { op: "stream.joined", id, outlet, thread: from.id, ring: items, bell, port },
      transfer,
    );
  }

  heldUp(message: Extract<ToToolkit, { op: "stream.heldUp" }>): void {
    this.#context.tell(this.#open.get(message.id)?.owner, message);
  }

  wake(id: string): void {
    for (const bell of this.#open.get(id)?.bells.values() ?? []) ring(bell);
  }

  relay(id: string, outlet: string, message: StreamMessage): void {
    this.#context.tell(this.#open.get(id)?.owner, { op: "stream.relayed", id, outlet, message });
  }

  forget(id: string): void {
    this.wake(id);
    this.#open.delete(id);
  }

  threadGone(thread: ThreadRecord): void {
    for (const [id, stream] of this.#open) {
      if (stream.owner === thread) {
        Atomics.store(stream.words, STATE, CONSUMER_GONE);
        this.forget(id);
      } else if (stream.bells.delete(thread.id)) {
        this.#context.tell(stream.owner, { op: "stream.left", id, thread: thread.id });
      }
    }
  }
}
