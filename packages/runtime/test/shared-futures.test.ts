/** Futures in several threads, as the supervisor keeps them. The threads are played. */
import { expect, test } from "vitest";
import { SharedFutures } from "../src/supervisor/shared-futures.ts";
import type { ThreadRecord } from "../src/supervisor/supervisor.ts";
import type { FromSupervisor, WireOutcome } from "../src/wire/messages.ts";

function play(count: number) {
  const threads = Array.from({ length: count }, (_, id) => {
    const heard: FromSupervisor[] = [];
    return { heard, record: { id, post: (message: FromSupervisor) => heard.push(message) } as unknown as ThreadRecord };
  });
  const futures = new SharedFutures((id) => threads[id]?.record);
  const record = (id: number) => threads[id]?.record as ThreadRecord;
  const outcomes = (id: number) =>
    threads[id]?.heard.flatMap((message) => (message.t === "future.settled" ? [message.outcome] : []));
  return { futures, record, outcomes };
}

const value = (value: unknown): WireOutcome => ({ ok: true, value, specials: undefined });
const name = (id: number) => ({ id, name: `t${id}`, kind: "foreign", parent: null }) as const;

test("a thread that is passed a future that another has settled meanwhile is told at once", () => {
  const { futures, record, outcomes } = play(3);
  futures.hold("0.1", record(0));
  futures.hold("0.1", record(1));
  futures.settle("0.1", value("first"), record(1));
  futures.hold("0.1", record(2)); // on its way while it was settled
  expect([0, 1, 2].map(outcomes)).toEqual([[value("first")], [], [value("first")]]);
});

test("of two outcomes the first is told, and the second to nobody", () => {
  const { futures, record, outcomes } = play(3);
  for (const thread of [0, 1, 2]) futures.hold("0.1", record(thread));
  futures.settle("0.1", value("first"), record(1));
  futures.settle("0.1", value("second"), record(2));
  expect([0, 1, 2].map(outcomes)).toEqual([[value("first")], [], [value("first")]]);
});

test("a future whose maker has ended fails for the last thread that waits for it, not before, and never if it is settled", () => {
  const { futures, record, outcomes } = play(3);
  for (const thread of [0, 1]) futures.hold("0.1", record(thread));
  for (const thread of [0, 1, 2]) futures.hold("0.2", record(thread));
  for (const thread of [0, 1]) futures.hold("0.3", record(thread));
  futures.settle("0.3", value("there"), record(1));
  futures.threadGone(name(0), { reason: "exit", exitCode: 4 });
  expect(outcomes(1)).toMatchObject([{ ok: false }]); // of 0.1: nobody else can settle it
  expect(outcomes(2)).toEqual([]); // 0.2 may be settled by either of two
});

test("whoever holds one could settle it, until it is settled: then nobody is waited for any more", () => {
  const { futures, record } = play(3);
  for (const thread of [0, 1, 2]) futures.hold("0.1", record(thread));
  expect(futures.settlers("0.1", 1)).toEqual([0, 2]);
  futures.settle("0.1", value("there"), record(0));
  // The story: its waiter, slow to wake, stood as one who waits for a thread that by now waits for it.
  expect(futures.settlers("0.1", 1)).toBeUndefined();
});
