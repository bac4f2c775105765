import { expect, test } from "vitest";
import type { InFlight } from "../src/engine/in-flight.ts";
import { behindPieces, passOn } from "../src/engine/stream-out.ts";
import { CREDIT_STEP, STREAM_WINDOW, type ToWorker, windowBeside } from "../src/engine/wire.ts";
import { turn } from "../src/engine/worker/turns.ts";
import type { WorkerLink } from "../src/engine/worker-link.ts";

test("streams that could go on for ever get the thread one at a time, in order, and the loop comes round in between", async () => {
  const order: string[] = [];
  const begun = performance.now();
  expect(turn(begun)).toBeUndefined();
  expect(turn(begun + 4)).toBeUndefined();
  // The slice is used up: all of these wait.
  const late = begun + 6;
  const streams = ["a", "b", "c"].map(async (name) => {
    const mine = turn(late);
    expect(mine).toBeInstanceOf(Promise);
    await mine;
    order.push(name);
    // It has a slice of its own now.
    expect(turn(performance.now())).toBeUndefined();
  });
  // What comes to the thread meanwhile is taken between any two of them.
  const other = (async () => {
    for (let i = 0; i < 6; i++) {
      await new Promise((resolve) => setImmediate(resolve));
      order.push("loop");
    }
  })();
  await Promise.all([...streams, other]);
  const places = ["a", "b", "c"].map((name) => order.indexOf(name));
  expect(places).toEqual([...places].sort((a, b) => a - b));
  for (const [i, place] of places.slice(1).entries()) expect(order.slice(places[i], place)).toContain("loop");
});

test("a stream's window shrinks with the number of streams beside it, and never below what main gives credit for", () => {
  expect([0, 10, 31].map(windowBeside)).toEqual([STREAM_WINDOW, STREAM_WINDOW, STREAM_WINDOW]);
  expect(windowBeside(63)).toBe(8);
  expect(windowBeside(5000)).toBe(CREDIT_STEP);
});

test("pieces for many clients are written a slice at a time, each client's in order and its end behind them, and main's loop comes round in between", async () => {
  const order: string[] = [];
  const credits: ToWorker[] = [];
  const link = { post: (message: ToWorker) => void credits.push(message) } as unknown as WorkerLink;
  const stream = (name: string, slot: number): InFlight => {
    const write = (chunk: string): boolean => {
      for (const end = performance.now() + 1; performance.now() < end; );
      order.push(`${name}${chunk}`);
      return true;
    };
    const fresh = { worker: link, slot, stage: "streaming", owed: 0, stalled: false, piecesWaiting: 0 };
    return { ...fresh, sink: { write } } as unknown as InFlight;
  };
  const streams = Array.from({ length: 20 }, (_, i) => stream(`${i}:`, i));
  // One turn of the loop brings all of this: 80 ms of writing.
  for (let piece = 0; piece < CREDIT_STEP; piece++) for (const one of streams) passOn(link, one, `${piece}`);
  const gone = streams[7] as InFlight;
  gone.stage = "settled";
  const ends = streams.map(
    (one, i) => new Promise<void>((resolve) => behindPieces(link, one, () => resolve(void order.push(`${i}:end`)))),
  );
  let over = false;
  void Promise.all(ends).then(() => {
    over = true;
  });
  while (!over) {
    await new Promise((resolve) => setImmediate(resolve));
    order.push("loop");
  }
  let together = 0;
  for (const entry of order) {
    together = entry === "loop" ? 0 : together + (entry.endsWith("end") ? 0 : 1);
    expect(together).toBeLessThan(10);
  }
  for (const [i, one] of streams.entries()) {
    const own = order.filter((entry) => entry.startsWith(`${i}:`));
    expect(own.at(-1)).toBe(`${i}:end`);
    if (one !== gone) expect(own.slice(0, -1)).toEqual([0, 1, 2, 3].map((piece) => `${i}:${piece}`));
  }
  // Of a client that has gone meanwhile nothing more is written.
  expect(order.filter((entry) => entry.startsWith("7:")).length).toBeLessThan(CREDIT_STEP + 1);
  expect(credits).toHaveLength(streams.length - 1);
});
