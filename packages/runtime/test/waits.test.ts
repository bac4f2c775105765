import { describe, expect, it } from "vitest";
import { type Answerers, type BlockedThread, findDeadlock } from "../src/supervisor/waits.ts";

/** Who waits for whom: `[thread, answerers]`, in the order in which they blocked; "live": somebody free can answer. */
function find(waits: readonly (readonly [number, readonly number[] | "live"])[]): ReturnType<typeof findDeadlock> {
  const blocked = new Map<number, BlockedThread>();
  const answerers = new Map<number, Answerers>();
  for (const [thread, anyOf] of waits) {
    const target = { on: "task", executor: "x", callId: thread, label: `task ${thread}` } as const;
    blocked.set(thread, {
      thread,
      name: `t${thread}`,
      wait: { id: thread, blocking: true, within: undefined, target },
    });
    answerers.set(thread, anyOf === "live" ? { live: true } : { live: false, anyOf });
  }
  return findDeadlock(blocked, (_target, waiter) => answerers.get(waiter) as Answerers);
}

describe("finding a deadlock", () => {
  it("sees none while a chain of waits ends at a thread that is not blocked", () => {
    expect(
      find([
        [1, [2]],
        [2, [3]],
      ]),
    ).toBeUndefined();
  });

  it("sees none when somebody free can still answer", () => {
    expect(
      find([
        [1, [2]],
        [2, "live"],
      ]),
    ).toBeUndefined();
  });

  it("finds two that wait for each other and gives the error to the one that blocked last", () => {
    const found = find([
      [2, [1]],
      [1, [2]],
    ]);
    expect(found?.victim).toBe(1);
    expect(found?.cycle).toEqual(['thread "t1" waits for task 1', 'thread "t2" waits for task 2']);
  });

  it("never gives the error to one that only waits for those in the cycle", () => {
    const found = find([
      [1, [2]],
      [2, [3]],
      [3, [2]],
    ]);
    expect(found?.victim).toBe(3);
    expect(found?.cycle).toHaveLength(2);
  });

  it("needs every worker of a pool to be stuck before a task queued there is", () => {
    expect(
      find([
        [1, [2, 3]],
        [2, [1]],
      ]),
    ).toBeUndefined();
    expect(
      find([
        [1, [2, 3]],
        [2, [1]],
        [3, [1]],
      ])?.victim,
    ).toBe(2);
  });

  it("finds a wait that nobody at all could answer", () => {
    expect(find([[1, []]])).toEqual({ victim: 1, cycle: ['thread "t1" waits for task 1'] });
  });

  it("finds the one cycle among many healthy waits, whatever their order", () => {
    const waits: [number, number[] | "live"][] = [
      [10, [11]],
      [11, "live"],
      [4, [5]],
      [5, [6]],
      [6, [4]],
      [12, [4, 11]],
    ];
    for (let turn = 0; turn < waits.length; turn++) {
      waits.push(waits.shift() as [number, number[] | "live"]);
      expect(new Set(find(waits)?.cycle.map((line) => line.slice(0, 11)))).toEqual(
        new Set(['thread "t4"', 'thread "t5"', 'thread "t6"']),
      );
    }
  });
});
