import { describe, expect, it } from "vitest";
import { type Answerers, type AwaitingTask, type BlockedThread, findDeadlock } from "../src/supervisor/waits.ts";

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
    expect(find([[1, []]])).toMatchObject({ victim: 1, cycle: ['thread "t1" waits for task 1'] });
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

describe("finding a deadlock in which tasks await", () => {
  type Waiting = { readonly by: number; readonly for: number; readonly bounded?: boolean };
  const wait = ({ by, for: callId, bounded = false }: Waiting, within?: string): BlockedThread["wait"] => ({
    id: callId,
    blocking: within === undefined,
    within,
    target: { on: "task", executor: "x", callId, label: `task ${by}.${callId}` },
    bounded,
  });

  /** `tasks`: by task, in which thread it awaits what. `runs`: which threads could answer for a task, and their tasks. */
  function findMixed(
    blocked: readonly Waiting[],
    tasks: Readonly<
      Record<string, { readonly thread: number; readonly waits: readonly number[]; readonly bounded?: boolean }>
    >,
    runs: Readonly<Record<string, Answerers>>,
  ): ReturnType<typeof findDeadlock> {
    const awaiting = new Map<string, AwaitingTask>();
    for (const [task, { thread, waits, bounded = false }] of Object.entries(tasks)) {
      const all = waits.map((callId) => wait({ by: thread, for: callId, bounded }, task));
      awaiting.set(task, { task, thread, name: `t${thread}`, waits: all });
    }
    return findDeadlock(
      new Map(blocked.map((one) => [one.by, { thread: one.by, name: `t${one.by}`, wait: wait(one) }])),
      (target, waiter) => (target.on === "task" ? runs[`${waiter}.${target.callId}`] : undefined) ?? { live: true },
      awaiting,
    );
  }

  // Thread 1, a pool's only worker, blocks for its task 1.1 in thread 2, a loop. That awaits 2.1, queued in the pool.
  const inLoop = { live: false, anyOf: [2] } as const;
  const inPool = { live: false, anyOf: [1], busyWith: [["0.1"]] } as const;

  it("finds the circle through a task that awaits, and says whose word it took for that", () => {
    expect(
      findMixed([{ by: 1, for: 1 }], { "1.1": { thread: 2, waits: [1] } }, { "1.1": inLoop, "2.1": inPool }),
    ).toEqual({
      victim: 1,
      cycle: ['thread "t1" waits for task 1.1', 'task 1.1 in thread "t2" awaits task 2.1'],
      standing: [1],
      believed: [2],
    });
  });

  it("sees none while one of several waits of the task can be answered", () => {
    const tasks = { "1.1": { thread: 2, waits: [1, 2] } };
    expect(findMixed([{ by: 1, for: 1 }], tasks, { "1.1": inLoop, "2.1": inPool })).toBeUndefined();
  });

  it("sees none while another task of the same thread awaits what can be answered", () => {
    const tasks = { "1.1": { thread: 2, waits: [1] }, "5.5": { thread: 2, waits: [7] } };
    expect(findMixed([{ by: 1, for: 1 }], tasks, { "1.1": inLoop, "2.1": inPool })).toBeUndefined();
  });

  it.each([
    ["of the thread", { by: 1, for: 1, bounded: true }, false],
    ["of the task", { by: 1, for: 1 }, true],
  ])("sees none while a wait %s ends by itself", (_, blocked, bounded) => {
    const tasks = { "1.1": { thread: 2, waits: [1], bounded } };
    expect(findMixed([blocked], tasks, { "1.1": inLoop, "2.1": inPool })).toBeUndefined();
  });

  it("needs each worker of a pool to be stuck, be it that it blocks or that its tasks await", () => {
    const twoWorkers = { live: false, anyOf: [1, 3], busyWith: [["0.1"], ["0.2"]] } as const;
    const runs = { "1.1": inLoop, "2.1": twoWorkers, "3.1": inLoop };
    const blocked = [{ by: 1, for: 1 }];
    expect(findMixed(blocked, { "1.1": { thread: 2, waits: [1] } }, runs)).toBeUndefined();
    const tasks = {
      "1.1": { thread: 2, waits: [1] },
      "0.2": { thread: 3, waits: [1] },
      "3.1": { thread: 2, waits: [1] },
    };
    expect(findMixed(blocked, tasks, runs)).toMatchObject({ victim: 1 });
    expect(findMixed(blocked, tasks, runs)?.believed.toSorted()).toEqual([2, 3]);
  });

  it("tells a blocked thread even where the circle itself is one of tasks only", () => {
    const tasks = { "1.1": { thread: 2, waits: [1] }, "2.1": { thread: 3, waits: [1] } };
    const runs = {
      "1.1": inLoop,
      "2.1": { live: false, anyOf: [3] },
      "3.1": { live: false, anyOf: [2], busyWith: [["1.1"]] },
    } as const;
    expect(findMixed([{ by: 1, for: 1 }], tasks, runs)).toMatchObject({ victim: 1 });
  });
});
