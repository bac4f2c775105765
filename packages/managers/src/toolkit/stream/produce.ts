/** The body of an iterable, in the thread that runs it. */
import { setImmediate } from "node:timers"; // not the one that a test may have replaced by a clock of its own
import { DeadlockError } from "@duck-ts/runtime";
import { currentThread, declareTask, findTask, type Task, type TaskRef } from "@duck-ts/runtime/internal";
import { copied } from "../../copied.ts";
import { consumedStreams } from "../client.ts";
import { Intake } from "./intake.ts";
import { Outlet, type StreamPassport } from "./outlet.ts";
import { BEGUN, FINALLY_THREW, LIFE, NOT_BEGUN } from "./words.ts";

/** Runs the body of an iterable and puts what it yields into the stream. Ends when the body has, its `finally` included. */
export const produce: Task<[StreamPassport, TaskRef, readonly unknown[]], void> = declareTask(
  function produce(stream: StreamPassport, body: TaskRef, args: readonly unknown[]): void | Promise<void> {
    if (Atomics.compareExchange(stream.words, LIFE, NOT_BEGUN, BEGUN) !== NOT_BEGUN) return undefined; // closed meanwhile
    const fn = findTask(body);
    return fn instanceof Promise ? fn.then((found) => run(stream, found(...args))) : run(stream, fn(...args));
  },
  { url: import.meta.url, name: "duck:produce" },
);

function run(stream: StreamPassport, made: unknown): void | Promise<void> {
  const iterator = iteratorOf(made);
  if (stream.owner !== currentThread().id) return runAway(stream, iterator);
  const intake = consumedStreams().get(stream.id);
  return intake instanceof Intake ? runHere(stream, intake, iterator) : undefined;
}

function runAway(stream: StreamPassport, iterator: Iterator<unknown>): void {
  const outlet = new Outlet(stream);
  try {
    // The place comes first: a body is never resumed before there is room for what it will yield.
    while (reserveOrLeave(stream, outlet, iterator)) {
      const step = nextOf(iterator, () => outlet.unreserve());
      if (step.done === true) {
        outlet.unreserve();
        return;
      }
      if (outlet.open) publishOrLeave(stream, outlet, iterator, step.value);
      else outlet.unreserve(); // and the next reservation says that it is closed
    }
  } finally {
    outlet.close();
  }
}

function reserveOrLeave(stream: StreamPassport, outlet: Outlet, iterator: Iterator<unknown>): boolean {
  let reserved: boolean;
  try {
    reserved = outlet.reserve();
  } catch (error) {
    leave(stream, iterator);
    throw error;
  }
  if (!reserved) leave(stream, iterator);
  return reserved;
}

function publishOrLeave(stream: StreamPassport, outlet: Outlet, iterator: Iterator<unknown>, value: unknown): void {
  try {
    outlet.publish(value);
  } catch (error) {
    leave(stream, iterator);
    throw error;
  }
}

/**
 * The body runs on its consumer's own thread: a full pool gave the task to the worker that waits for it. There it must
 * not block, or nobody would be left to take the items; it stops between two of them instead.
 */
async function runHere(stream: StreamPassport, intake: Intake, iterator: Iterator<unknown>): Promise<void> {
  for (let made = 1; ; made++) {
    while (intake.open && !intake.reserveHere()) await intake.roomHere();
    if (!intake.open) break;
    const step = nextOf(iterator, () => intake.unreserveHere());
    if (step.done === true) {
      intake.unreserveHere();
      return;
    }
    try {
      intake.putHere(copied(step.value, "item"));
    } catch (error) {
      intake.unreserveHere();
      leave(stream, iterator);
      throw error;
    }
    if (made % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  leave(stream, iterator);
}

function nextOf(iterator: Iterator<unknown>, onThrow: () => void): IteratorResult<unknown> {
  try {
    const step: unknown = iterator.next();
    // As a loop does: what has no `done` would never come to an end.
    if ((typeof step === "object" && step !== null) || typeof step === "function") return step as never;
    throw new TypeError(`The iterator of a threaded iterable gave ${String(step)} instead of { done, value }.`);
  } catch (error) {
    onThrow();
    throw error;
  }
}

/** Ends the body before its time: its `finally` runs. */
function leave(stream: StreamPassport, iterator: Iterator<unknown>): void {
  try {
    iterator.return?.();
  } catch (error) {
    Atomics.store(stream.words, LIFE, FINALLY_THREW);
    throw error;
  }
}

function iteratorOf(made: unknown): Iterator<unknown> {
  const make = (made as Partial<Iterable<unknown>> | null | undefined)?.[Symbol.iterator];
  if (typeof make === "function") return make.call(made);
  throw new TypeError(
    `The body of a threaded iterable must return something iterable (a generator, an array, a Set); it returned ${named(made)}.`,
  );
}

function named(made: unknown): string {
  if (made === null) return "null";
  if (typeof made === "object" && Symbol.asyncIterator in made) return "an async iterable, which needs no thread";
  return (made as object | undefined)?.constructor?.name ?? typeof made;
}

/** For the errors of streams that a thread consumes and fills itself. */
export function fullHere(label: string): DeadlockError {
  return new DeadlockError(
    [`thread "${currentThread().name}" puts into ${label}, which is full and which only this very thread can empty`],
    "Take items before putting more, put from another thread, or raise maxSize (0: no bound).",
  );
}
