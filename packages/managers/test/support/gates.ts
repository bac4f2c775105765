/** Gates: words of shared memory by which a test says when a task may go on, and a task how far it has come. */
import { expect } from "vitest";

export type Gate = Int32Array;

export function newGate(): Gate {
  return new Int32Array(new SharedArrayBuffer(4));
}

export function newWords(length: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(4 * length));
}

export function open(gate: Gate): void {
  Atomics.store(gate, 0, 1);
  Atomics.notify(gate, 0);
}

/** Waits, the event loop turning, until the gate was reached so many times. */
export async function reached(gate: Gate, times = 1): Promise<void> {
  await eventually(() => Atomics.load(gate, 0) >= times, `a gate to be reached ${times} times`);
}

/** Stands still until the gate was reached: the event loop of this thread does not turn meanwhile. */
export function blockUntilReached(gate: Gate, withinMs = 10_000): void {
  expect(Atomics.wait(gate, 0, 0, withinMs), "a gate to be reached while this thread stands still").not.toBe(
    "timed-out",
  );
}

/** Waits until `holds()`; fails after a bound that no healthy run comes near. */
export async function eventually(
  holds: () => boolean | Promise<boolean>,
  what: string,
  withinMs = 12_000,
): Promise<void> {
  const until = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > until) throw new Error(`waited ${withinMs} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** The promise's outcome, or a failure that says what was waited for. */
export async function within<T>(awaited: PromiseLike<T>, what: string, ms = 12_000): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const bound = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${ms} ms for ${what}`)), ms);
  });
  try {
    return await Promise.race([awaited, bound]);
  } finally {
    clearTimeout(timer);
  }
}

/** How a future or promise came out, as the name of its error or "ok". */
export async function outcome(awaited: PromiseLike<unknown>): Promise<string> {
  return within(
    Promise.resolve(awaited).then(
      () => "ok",
      (error: unknown) => (error instanceof Error ? error.name : String(error)),
    ),
    "a future to be settled",
  );
}

/** The error that a future or promise failed with. */
export async function failure(awaited: PromiseLike<unknown>): Promise<unknown> {
  const settled = await within(
    Promise.resolve(awaited).then(
      (value) => ({ ok: true as const, value }),
      (error: unknown) => ({ ok: false as const, error }),
    ),
    "a future to fail",
  );
  if (settled.ok) throw new Error(`expected a failure, got ${JSON.stringify(settled.value)}`);
  return settled.error;
}

/** What a call throws. */
export function thrownBy(fn: () => unknown): unknown {
  let result: unknown;
  try {
    result = fn();
  } catch (error) {
    return error;
  }
  throw new Error(`expected it to throw, it returned ${String(result)}`);
}
