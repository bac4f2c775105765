import { expect, test } from "vitest";
import { CREDIT_STEP, STREAM_WINDOW, windowBeside } from "../src/engine/wire.ts";
import { turn } from "../src/engine/worker/turns.ts";

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
