import { inspect } from "node:util";
import { TaskCancelledError } from "@duck-ts/runtime";
import { registerSpecialKind, threadWide } from "@duck-ts/runtime/internal";
import { copied } from "../copied.ts";
import { ChannelClosed, ChannelTimeout } from "../errors.ts";
import { onAbort } from "../on-abort.ts";
import { checkMaxSize, checkMs, DEFAULT_MAX_SIZE, LONGEST_MS } from "./bounds.ts";
import { tellToolkit } from "./client.ts";
import { checkNames } from "./executor.ts";
import { Intake, type Waiter } from "./stream/intake.ts";
import { Outlet, type StreamPassport } from "./stream/outlet.ts";
import { fullHere } from "./stream/produce.ts";
import { NOTHING } from "./stream/ring.ts";
import { CLOSED, CONSUMER_GONE, OPEN, STATE } from "./stream/words.ts";

export interface ChannelOptions {
  /** The most items that wait in it; `put` blocks while they do. Default 1024; 0: no bound. */
  readonly maxSize?: number | undefined;
  /** How long `get()` waits when it is not told, in milliseconds. Default 0: no bound. */
  readonly timeoutMs?: number | undefined;
}

export interface ChannelGetOptions {
  /** How long to wait for an item, in milliseconds; 0: no bound. Default: the channel's. */
  readonly timeoutMs?: number | undefined;
  /** Ends the wait when aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** Either end of a channel. */
type End =
  | { readonly intake: Intake; readonly timeoutMs: number }
  | { readonly stream: StreamPassport; outlet: Outlet | undefined };

/** The channels that other threads made and this one knows, so that one that comes twice is one object. */
const arrived = (): Map<string, WeakRef<FromThreadChannel<unknown>>> => threadWide("toolkit-channels", () => new Map());

// A consumer that drops its channel must not leave producers waiting, nor a producer that drops its end its port open.
const droppedIntakes = new FinalizationRegistry<Intake>((intake) => intake.dispose());
const droppedEnds = new FinalizationRegistry<{ outlet: Outlet | undefined }>((end) => end.outlet?.close());

const endsOf = new WeakMap<FromThreadChannel<unknown>, End>();
/** Given to the constructor in place of options: the channel of another thread. */
class Arrival {
  readonly stream: StreamPassport;
  constructor(stream: StreamPassport) {
    this.stream = stream;
  }
}

/**
 * A channel from any number of threads to the one that made it. Pass it to a task as an argument; over there `put` items
 * into it, here `get()` them or loop with `for await`. The items of each thread keep their order.
 *
 * aiomisc's `FromThreadChannel`.
 *
 * @throws TypeError, RangeError for bad options.
 * @example
 * ```ts run
 * import { FromThreadChannel, threadedSeparate } from "@duck-ts/managers";
 *
 * const producer = threadedSeparate((channel: FromThreadChannel<number>) => {
 *   for (let i = 0; i < 5; i++) channel.put(i); // blocks while two items wait
 *   channel.close();
 * });
 *
 * const channel = new FromThreadChannel<number>({ maxSize: 2 });
 * const done = producer(channel);
 * for await (const item of channel) console.log(`Received: ${item}`);
 * await done;
 * ```
 * ```text output
 * Received: 0
 * Received: 1
 * Received: 2
 * Received: 3
 * Received: 4
 * ```
 */
export class FromThreadChannel<T> implements AsyncIterable<T> {
  constructor(options: ChannelOptions = {}) {
    const self = this as FromThreadChannel<unknown>;
    if (options instanceof Arrival) {
      const end: End = { stream: options.stream, outlet: undefined };
      endsOf.set(self, end);
      droppedEnds.register(this, end);
      return;
    }
    checkNames(options, ["maxSize", "timeoutMs"], "FromThreadChannel");
    const { maxSize = DEFAULT_MAX_SIZE, timeoutMs = 0 } = options;
    checkMaxSize(maxSize, "FromThreadChannel");
    checkMs(timeoutMs, "timeoutMs", "FromThreadChannel");
    const intake: Intake = new Intake({
      maxSize,
      label: `a channel (maxSize ${maxSize})`,
      isChannel: true,
      finished: () => !intake.open && intake.count <= 0,
    });
    endsOf.set(self, { intake, timeoutMs });
    droppedIntakes.register(this, intake);
  }

  /** Whether `close()` was called, by any thread, or the consuming thread has ended. Items may still be there to be taken. */
  get closed(): boolean {
    const end = this.#end();
    return "intake" in end ? !end.intake.open : Atomics.load(end.stream.words, STATE) !== OPEN;
  }

  /**
   * Puts an item in. Blocks this thread while the channel is full. The item is copied.
   *
   * @throws ChannelClosed if it is closed, or becomes so while this waits.
   * @throws DeadlockError if it is full and this very thread is the one to empty it, or that thread waits for this one.
   * @throws BlockingNotAllowedError if it is full and this thread must not stand still.
   * @throws DataNotCloneableError
   */
  put(value: T): void {
    const end = this.#end();
    if ("intake" in end) {
      if (!end.intake.open) throw new ChannelClosed();
      const item = copied(value, "item");
      if (!end.intake.reserveHere()) throw fullHere(end.intake.label);
      end.intake.putHere(item);
      return;
    }
    end.outlet ??= new Outlet(end.stream);
    if (!end.outlet.reserve()) throw closedWhy(end.stream);
    end.outlet.publish(value);
  }

  /**
   * The next item; waits for one, without blocking. Only in the thread that made the channel.
   *
   * Rejects with `ChannelClosed` when the channel is closed and empty, `ChannelTimeout` when its time is over,
   * `TaskCancelledError` when the signal is aborted, `TypeError` in any other thread.
   */
  async get(options: ChannelGetOptions = {}): Promise<T> {
    const end = this.#consuming("get()");
    checkNames(options, ["timeoutMs", "signal"], "FromThreadChannel.get");
    const { timeoutMs = end.timeoutMs, signal } = options;
    const within = checkMs(timeoutMs, "timeoutMs", "FromThreadChannel.get");
    if (signal?.aborted) throw aborted(signal);
    return this.#next(end.intake, within, signal);
  }

  #next(intake: Intake, within: number, signal: AbortSignal | undefined): T | Promise<T> {
    const value = intake.takeNow();
    if (value !== NOTHING) return value as T;
    return new Promise<T>((resolve, reject) => {
      const stop = (): void => {
        clearTimeout(timer);
        forgetSignal?.();
      };
      const waiter: Waiter = {
        asked: this,
        give(item) {
          stop();
          resolve(item as T);
        },
        fail(error) {
          stop();
          reject(error);
        },
        end() {
          stop();
          intake.dispose();
          reject(new ChannelClosed());
        },
      };
      const leave = (error: () => unknown): void => {
        stop();
        if (intake.withdraw(waiter)) reject(error());
      };
      const abort = (): void => leave(() => aborted(signal as AbortSignal));
      // What a timer cannot count to is no bound either.
      const bounded = within > 0 && within <= LONGEST_MS;
      const timer = bounded ? setTimeout(() => leave(() => new ChannelTimeout(within)), within) : undefined;
      const forgetSignal = signal === undefined ? undefined : onAbort(signal, abort);
      intake.request(waiter);
    });
  }

  /** No more items from now on, from any thread; those that are in it can still be taken. Any thread may call it, often. */
  close(): void {
    const end = this.#end();
    if ("intake" in end) {
      end.intake.shut();
      end.intake.serve();
      if (end.intake.count <= 0) end.intake.dispose();
      return;
    }
    if (Atomics.compareExchange(end.stream.words, STATE, OPEN, CLOSED) !== OPEN) return;
    end.outlet ??= new Outlet(end.stream);
    end.outlet.wakeConsumer();
    tellToolkit({ op: "stream.wake", id: end.stream.id }); // the other producers, wherever they wait
  }

  /** Until the channel is closed and empty. Leaving the loop leaves the channel as it is: others may go on reading. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, undefined, unknown> {
    const { intake } = this.#consuming("for await");
    for (;;) {
      let item: T;
      try {
        item = await this.#next(intake, 0, undefined);
      } catch (error) {
        if (error instanceof ChannelClosed) return undefined;
        throw error;
      }
      yield item;
    }
  }

  toString(): string {
    const end = this.#end();
    return `<FromThreadChannel${this.closed ? " closed" : ""}${"intake" in end ? ` ${end.intake.count} of ${end.intake.maxSize || "unbounded"}` : ` of thread ${end.stream.owner}`}>`;
  }

  #end(): End {
    return endsOf.get(this as FromThreadChannel<unknown>) as End;
  }

  #consuming(what: string): Extract<End, { readonly intake: Intake }> {
    const end = this.#end();
    if ("intake" in end) return end;
    throw new TypeError(
      `${what} is for the thread that made the channel (thread ${end.stream.owner}); this one can only put() and close().`,
    );
  }
}

Object.defineProperty(FromThreadChannel.prototype, inspect.custom, {
  value(this: FromThreadChannel<unknown>): string {
    return this.toString();
  },
});

function closedWhy(stream: StreamPassport): ChannelClosed {
  if (Atomics.load(stream.words, STATE) !== CONSUMER_GONE)
    return new ChannelClosed(
      "The channel is closed: put() gives nothing any more. Stop producing, or make a new channel.",
    );
  return new ChannelClosed(`The channel is closed: the thread that consumes it (${stream.owner}) has ended.`);
}

function aborted(signal: AbortSignal): TaskCancelledError {
  return new TaskCancelledError("get() was cancelled: its signal was aborted.", signal.reason);
}

function arrive(stream: StreamPassport): FromThreadChannel<unknown> {
  const known = arrived().get(stream.id)?.deref();
  if (known !== undefined) return known;
  const channel = new FromThreadChannel<unknown>(new Arrival(stream) as ChannelOptions);
  arrived().set(stream.id, new WeakRef(channel));
  return channel;
}

registerSpecialKind({
  tag: "channel",
  is: (value) => value instanceof FromThreadChannel,
  encode(value) {
    const end = endsOf.get(value as FromThreadChannel<unknown>) as End;
    if (!("intake" in end)) return end.stream;
    const stream = end.intake.passport();
    arrived().set(stream.id, new WeakRef(value as FromThreadChannel<unknown>));
    return stream;
  },
  decode: (payload) => arrive(payload as StreamPassport),
});
