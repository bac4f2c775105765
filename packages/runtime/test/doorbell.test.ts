import { expect, onTestFinished, test } from "vitest";
import {
  blockUntil,
  type Drainable,
  drainWhileBlocked,
  isBlockedAt,
  lookWhileBlocked,
  ownDoorbell,
  ring,
  sendBeforeBlocking,
} from "../src/future/doorbell.ts";

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

test("what was written before a thread is known to be blocked rang no bell, and is taken all the same", () => {
  const undo = [{ drain() {} }].map((port) => drainWhileBlocked(port));
  expect(blockUntil({ done: () => false, deadline: performance.now() + 1 })).toBe(false); // all ports are empty
  let taken = false;
  undo.push(
    drainWhileBlocked({
      drain() {},
      peek() {
        taken = true;
      },
    }),
  );
  expect(blockUntil({ done: () => taken, deadline: performance.now() + 50 })).toBe(true);
  for (const end of undo) end();
});

test("a bell that rings between the emptying of the ports and the sleep keeps the thread awake", () => {
  let [drained, looks] = [0, 0];
  const undo = drainWhileBlocked({
    drain() {
      drained += 1;
      if (drained === 1) ring(ownDoorbell()); // something came right behind what was taken
    },
  });
  lookWhileBlocked(() => {
    looks += 1; // a second has passed
  });
  ring(ownDoorbell());
  expect(blockUntil({ done: () => drained === 2, deadline: performance.now() + 1_500 })).toBe(true);
  expect(looks).toBe(0);
  undo();
});

test("what is held back leaves when others can see already that this thread is blocked: they ring, and need not post", () => {
  let seen = false;
  const undo = sendBeforeBlocking(() => {
    seen = isBlockedAt(ownDoorbell());
  });
  onTestFinished(undo);
  blockUntil({ done: () => true, deadline: Number.POSITIVE_INFINITY });
  expect([seen, isBlockedAt(ownDoorbell())]).toEqual([true, false]);
});
