import { expect, test } from "vitest";
import { blockUntil, type Drainable, drainWhileBlocked } from "../src/future/doorbell.ts";

test("what a blocking wait leaves unread is read once in the next turn of the event loop, after however many waits", async () => {
  let drained = 0;
  const port: Drainable = {
    hasAnswers: true,
    drain() {
      drained += 1;
    },
  };
  const undo = drainWhileBlocked(port);
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  for (let wait = 0; wait < 100; wait++) blockUntil({ done: () => true, deadline: Number.POSITIVE_INFINITY });
  expect(drained).toBe(0);
  await turn();
  expect(drained).toBe(1);
  blockUntil({ done: () => true, deadline: Number.POSITIVE_INFINITY });
  await turn();
  expect(drained).toBe(2);
  undo();
});
