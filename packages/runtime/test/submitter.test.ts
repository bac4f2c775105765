import { MessageChannel } from "node:worker_threads";
import { afterEach, expect, test, vi } from "vitest";
import { hasAnswers, mustWake, newAnswerRing, writeAnswer } from "../src/wire/answer-ring.ts";
import { LOOK } from "../src/wire/messages.ts";
import { Submitter } from "../src/worker/submitter.ts";

afterEach(() => void vi.restoreAllMocks());

test("an answer that is written between the last look and the rest is read, though nobody wakes for it", () => {
  const { port1, port2 } = new MessageChannel();
  const ring = newAnswerRing();
  const submitter = new Submitter(port1, ring);
  mustWake(ring); // the writer has sent its wake-up, and the reader comes to look
  writeAnswer(ring, 1, "early");
  const store = Atomics.store.bind(Atomics) as (...args: unknown[]) => number;
  let wakes: boolean | undefined;
  vi.spyOn(Atomics, "store").mockImplementation(((...args: unknown[]) => {
    if (wakes === undefined && args[0] === ring && args[2] === 1 && !hasAnswers(ring)) {
      wakes = false;
      writeAnswer(ring, 2, "late");
      wakes = mustWake(ring); // the reader does not rest yet, so the writer says nothing
    }
    return store(...args);
  }) as never);
  submitter.drain();
  expect(wakes).toBe(false);
  expect(hasAnswers(ring)).toBe(false);
  submitter.close();
  port2.close();
});

test("a wake-up that a blocking wait came upon is heeded, though the wait was over before its port was empty", () => {
  const { port1, port2 } = new MessageChannel();
  const ring = newAnswerRing();
  const submitter = new Submitter(port1, ring);
  writeAnswer(ring, 1, "first");
  if (mustWake(ring)) port2.postMessage(LOOK); // from now on the writer says nothing until the reader rests again
  port2.postMessage([]);
  submitter.drain(() => true);
  expect(hasAnswers(ring)).toBe(false);
  writeAnswer(ring, 2, "second");
  expect(mustWake(ring)).toBe(true);
  submitter.close();
  port2.close();
});
