/**
 * What crosses in a pool, in the order that a busy machine shows once in a thousand runs: the workers are played here
 * (support/played-pool.ts), so each of these is an interleaving and none needs luck.
 */
import { afterEach, describe, expect, test, vi } from "vitest";
import * as board from "../src/board.ts";
import type { AgentTask } from "../src/protocol.ts";
import type { PlayedThread } from "./support/played-crew.ts";
import { playPool, submitter } from "./support/played-pool.ts";

vi.mock("../src/pool/crew.ts", () => import("./support/played-crew.ts"));

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

/** A pool whose first worker is up, and a thread that may send it tasks. `isBlocked`: whether its workers stand still. */
function upPool(settings: Parameters<typeof playPool>[0] = {}, isBlocked = false) {
  const pool = playPool({ minWorkers: 1, ...settings }, isBlocked);
  const main = submitter();
  pool.host.submit(main, [], false);
  if (settings.minWorkers === 0) pool.starts();
  const worker = pool.threads()[0] as PlayedThread;
  worker.comesUp();
  worker.told();
  expect(worker.place).toBe(board.FREE);
  return { pool, main, worker };
}

/** The worker runs a task that came by way of the queue. */
function runsGiven({ pool, main, worker }: ReturnType<typeof upPool>): AgentTask {
  pool.submits(main);
  const [task] = worker.given();
  worker.begins(task as AgentTask);
  worker.say({ t: "begun" });
  return task as AgentTask;
}

/** The worker runs what it is given, one after the other, until there is nothing. Returns their numbers. */
function runsAll(worker: PlayedThread): number[] {
  const ran: number[] = [];
  for (let [task] = worker.given(); task !== undefined; [task] = worker.given()) {
    ran.push(task.message[1]);
    worker.begins(task);
    worker.counts();
    worker.isIdle();
  }
  return ran;
}

/** Whoever gives tasks ahead needs to know that they are short. */
function isQuick(worker: PlayedThread): void {
  Atomics.store(worker.block, board.RECENT_US, 1);
}

/** Does something right after the first `op` on that word, as another thread might. */
function rightAfter(op: "add" | "sub", words: Int32Array, index: number, meanwhile: () => void): void {
  const original = Atomics[op] as (...args: unknown[]) => number;
  const spy = vi.spyOn(Atomics, op).mockImplementation(((...args: unknown[]) => {
    const value = original(...args);
    if (args[0] === words && args[1] === index) {
      spy.mockRestore();
      meanwhile();
    }
    return value;
  }) as never);
}

describe("a worker that says that it is free", () => {
  test("is not given up to submitters while a task is on its way to it", () => {
    const up = upPool();
    const { pool, main, worker } = up;
    runsGiven(up);
    isQuick(worker);
    pool.submits(main); // given ahead, and on its way
    expect(worker.given()).toHaveLength(1);
    worker.counts();
    worker.isIdle(); // it has not read that message yet
    expect(worker.place).toBe(board.HELD);
  });

  test("is not ended by a stop while a task is on its way to it", () => {
    const up = upPool();
    const { pool, main, worker } = up;
    runsGiven(up);
    isQuick(worker);
    pool.submits(main);
    void pool.host.stop({ wait: true, timeoutMs: 60_000 });
    worker.counts();
    worker.isIdle();
    expect(worker.isOver).toBe(false);
    const [ahead] = worker.given();
    worker.begins(ahead as AgentTask);
    worker.counts();
    worker.isIdle();
    expect([worker.isOver, pool.state.ended]).toEqual([true, true]);
    expect(pool.threads()).toHaveLength(1);
  });

  test("and has begun its next task before that is heard keeps its place: what that task calls must not be put behind it", () => {
    const up = upPool();
    const { pool, main, worker } = up;
    runsGiven(up);
    isQuick(worker);
    pool.submits(main);
    const [ahead] = worker.given();
    worker.counts();
    // In the thread: idle, "free" is posted, then the message with the next task is read. Only now is "free" heard.
    Atomics.store(worker.block, board.RUN_STATE, board.RUN_NONE);
    worker.begins(ahead as AgentTask);
    worker.say({ t: "free" });
    expect(worker.place).toBe(board.HELD);
  });

  test("and was taken by a submitter before that is heard stays taken", () => {
    const { pool, main, worker } = upPool();
    expect(pool.sendsTo(worker, main)).toBeDefined();
    worker.say({ t: "free" });
    expect(worker.place).toBe(board.TAKEN);
  });

  test("after it was told to go is not offered to submitters again", () => {
    const up = upPool();
    const { worker } = up;
    runsGiven(up);
    worker.say({ t: "recycle" });
    worker.counts();
    Atomics.store(worker.block, board.RUN_STATE, board.RUN_NONE);
    worker.say({ t: "free" });
    expect(worker.place).toBe(board.HELD);
  });
});

describe("a pool that stops", () => {
  test("hears of a worker that becomes free in the very moment in which it is found busy", async () => {
    const { pool, main, worker } = upPool();
    expect(pool.sendsTo(worker, main)).toBe(1);
    worker.beginsDirect(main.id, 1);
    // The stop looks whether it is free, and it is not; right then it becomes so, and looks whether it should say that.
    const compareExchange = Atomics.compareExchange.bind(Atomics) as (...args: unknown[]) => number;
    const spy = vi.spyOn(Atomics, "compareExchange").mockImplementation(((...args: unknown[]) => {
      const was = compareExchange(...args);
      if (args[0] === worker.block && args[1] === board.PLACE && args[3] === board.EMPTY) {
        spy.mockRestore();
        worker.counts();
        board.leavePlace(worker.block);
        worker.isIdle();
      }
      return was;
    }) as never);
    const stopped = pool.host.stop({ wait: true, timeoutMs: 60_000 });
    expect([worker.isOver, pool.state.ended]).toEqual([true, true]);
    expect(await stopped).toEqual({ completed: 1, cancelled: 0, terminated: 0 });
  });

  test("hears of a worker that was given the last of the queue meanwhile, while it was busy", async () => {
    // The story: at the stop there was still a queue, so nobody asked to be told. A busy worker was given what was left
    // of it, came to its end and said nothing, since nobody waited: the stop waited out its time.
    const up = upPool();
    const { pool, main, worker } = up;
    runsGiven(up);
    pool.submits(main);
    const stopped = pool.host.stop({ wait: true, timeoutMs: 60_000 });
    isQuick(worker);
    worker.say({ t: "begun" });
    worker.counts();
    expect(runsAll(worker)).toHaveLength(1);
    expect([worker.isOver, pool.state.ended]).toEqual([true, true]);
    expect(await stopped).toEqual({ completed: 2, cancelled: 0, terminated: 0 });
  });

  test("is told by each busy worker when that is free, and by none any more when it has ended", () => {
    const { pool, main, worker } = upPool();
    pool.sendsTo(worker, main);
    worker.beginsDirect(main.id, 1);
    void pool.host.stop({ wait: true, timeoutMs: 60_000 });
    expect(worker.isOver).toBe(false);
    worker.counts();
    board.leavePlace(worker.block);
    worker.isIdle();
    expect([worker.isOver, pool.state.ended, pool.word(board.QUEUED)]).toEqual([true, true, 0]);
  });

  test("waits for what a submitter had sent to a worker that died, and runs it", async () => {
    const { pool, main, worker } = upPool();
    const sent = [1, 2, 3].map(() => pool.sendsTo(worker, main) as number);
    worker.beginsDirect(main.id, 1);
    const stopped = pool.host.stop({ wait: true, timeoutMs: 60_000 });
    worker.crashes();
    expect(pool.state.ended).toBe(false);
    pool.sendsBack(main, ...sent.slice(1));
    const next = pool.threads()[1] as PlayedThread;
    next.comesUp();
    for (let left = 2; left > 0; left--) {
      next.begins(next.given()[0] as AgentTask);
      next.counts();
      next.isIdle();
    }
    expect(pool.state.ended).toBe(true);
    expect(await stopped).toEqual({ completed: 2, cancelled: 0, terminated: 1 });
    expect([pool.word(board.OUTSTANDING), pool.word(board.QUEUED), pool.word(board.AHEAD)]).toEqual([0, 0, 0]);
  });

  test("waits until a submitter has answered for each of two workers that died", () => {
    const { pool, main, worker } = upPool({ maxWorkers: 2, minWorkers: 2 });
    const other = pool.threads()[1] as PlayedThread;
    other.comesUp();
    for (const thread of [worker, other]) pool.sendsTo(thread, main); // taken, and not begun
    void pool.host.stop({ wait: true, timeoutMs: 60_000 });
    worker.crashes();
    other.crashes();
    pool.sendsBack(main);
    expect(pool.state.ended).toBe(false);
    pool.sendsBack(main);
    expect(pool.state.ended).toBe(true);
  });

  test.each(["before", "after"])("does not wait for a submitter that died %s the worker", async (when) => {
    const { pool, main, worker } = upPool();
    const [first] = [1, 2, 3].map(() => pool.sendsTo(worker, main));
    worker.beginsDirect(main.id, first as number); // lost with the worker
    const stopped = pool.host.stop({ wait: true, timeoutMs: 60_000 });
    if (when === "before") {
      Object.assign(main, { alive: false }); // known to the supervisor, and not to this pool yet
      worker.crashes();
    } else {
      worker.crashes();
      expect(pool.state.ended).toBe(false);
      pool.host.threadGone(main);
    }
    expect(pool.state.ended).toBe(true);
    await stopped;
    expect([pool.word(board.OUTSTANDING), pool.word(board.FAILED), pool.word(board.CANCELLED)]).toEqual([0, 1, 2]);
  });

  test("at once does not wait for what is on its way back, and counts it as cancelled", async () => {
    const { pool, main, worker } = upPool();
    for (let sent = 0; sent < 3; sent++) pool.sendsTo(worker, main);
    const stopped = pool.host.stop({ wait: true, timeoutMs: 60_000 });
    worker.crashes();
    pool.host.kill("its owner has ended");
    expect(pool.state.ended).toBe(true);
    expect(await stopped).toEqual({ completed: 0, cancelled: 3, terminated: 0 });
  });

  test("without waiting tells whoever has sent tasks ahead, and the worker that it begins none", async () => {
    const { pool, main, worker } = upPool();
    for (let sent = 0; sent < 3; sent++) pool.sendsTo(worker, main);
    worker.beginsDirect(main.id, 1);
    const stopped = pool.host.stop({ wait: false, timeoutMs: 60_000 });
    expect(pool.of("withdraw").map(({ to }) => to)).toEqual([main.id]);
    expect(worker.block[board.REFUSING]).toBe(1);
    Atomics.add(worker.block, board.REFUSED, 2); // by the submitter or by the worker
    for (let left = 2; left > 0; left--) board.leavePlace(worker.block);
    worker.counts();
    board.leavePlace(worker.block);
    worker.isIdle();
    expect(await stopped).toEqual({ completed: 1, cancelled: 2, terminated: 0 });
  });
});

describe("a worker that ends", () => {
  test("in the moment in which a submitter looks at its place is not taken any more", () => {
    const { pool, main, worker } = upPool();
    let taken: number | undefined;
    for (const op of ["load", "exchange"] as const) {
      const original = Atomics[op] as (...args: unknown[]) => number;
      vi.spyOn(Atomics, op).mockImplementation(((...args: unknown[]) => {
        const value = original(...args);
        if (args[0] === worker.block && args[1] === board.PLACE && value === board.FREE) {
          vi.restoreAllMocks();
          taken = pool.sendsTo(worker, main);
        }
        return value;
      }) as never);
    }
    worker.crashes();
    expect(taken).toBeUndefined();
    expect(worker.place).toBe(board.EMPTY);
  });

  test("between the turn of a task and the claim to it leaves that task to the next", () => {
    const { pool, main, worker } = upPool();
    const callId = pool.submits(main);
    const [task] = worker.given();
    worker.takesTurn(main.id, callId);
    worker.crashes();
    expect(pool.of("lost")).toEqual([]);
    expect([pool.word(board.ACTIVE), pool.word(board.FAILED), pool.word(board.OUTSTANDING)]).toEqual([0, 0, 1]);
    const next = pool.threads()[1] as PlayedThread;
    next.comesUp();
    expect(next.given()[0]?.message).toEqual((task as AgentTask).message);
  });

  test("takes along, once, the task whose turn it was and those that ran beside it", () => {
    const up = upPool();
    const { pool, main, worker } = up;
    const running = runsGiven(up).message[1];
    const awaited = pool.submits(main);
    pool.host.helpWaiting((task) => (task === `${main.id}.${running}` ? [`${main.id}.${awaited}`] : []));
    expect(worker.given().map(({ beside, message }) => [beside, message[1]])).toEqual([[true, awaited]]);
    worker.crashes();
    expect(pool.of("lost").map(({ event }) => event.op === "lost" && event.callId)).toEqual([running, awaited]);
    expect([pool.word(board.ACTIVE), pool.word(board.FAILED), pool.word(board.OUTSTANDING)]).toEqual([0, 2, 0]);
  });

  test("while it clones a result fails that task, and does not count it twice", () => {
    const up = upPool();
    const { pool, worker } = up;
    const { message } = runsGiven(up);
    worker.counts();
    worker.crashes();
    expect(pool.of("lost").map(({ event }) => event.op === "lost" && event.callId)).toEqual([message[1]]);
    expect([pool.word(board.COMPLETED), pool.word(board.FAILED), pool.word(board.OUTSTANDING)]).toEqual([1, 0, 0]);
  });

  test("before it begins a task whose argument was moved to it takes that task along", () => {
    const { pool, main, worker } = upPool();
    const callId = pool.submits(main, { moved: true });
    worker.crashes();
    expect(pool.of("lost").map(({ event }) => event.op === "lost" && event.callId)).toEqual([callId]);
    expect([pool.word(board.AHEAD), pool.word(board.FAILED), pool.word(board.OUTSTANDING)]).toEqual([0, 1, 0]);
  });

  test("gives what it was given ahead to the next, in the order of submission", () => {
    const up = upPool();
    const { pool, main, worker } = up;
    runsGiven(up);
    isQuick(worker);
    const behind = [1, 2, 3].map(() => pool.submits(main));
    worker.crashes();
    const next = pool.threads()[1] as PlayedThread;
    next.comesUp();
    expect(runsAll(next)).toEqual(behind);
  });
});

describe("what comes back from a worker that died", () => {
  test("goes before what others have queued since", () => {
    const { pool, main, worker } = upPool();
    const sent = [1, 2, 3].map(() => pool.sendsTo(worker, main) as number);
    worker.beginsDirect(main.id, 1);
    const queued = pool.submits(submitter());
    worker.crashes();
    pool.sendsBack(main, ...sent.slice(1));
    const next = pool.threads()[1] as PlayedThread;
    next.comesUp();
    expect(runsAll(next)).toEqual([...sent.slice(1), queued]);
  });
});

describe("a submitter that ends", () => {
  test("leaves nothing of its own in the queue or with a worker that has not begun it", () => {
    const up = upPool();
    const { pool, worker } = up;
    runsGiven(up);
    isQuick(worker);
    const dying = submitter();
    pool.submits(dying); // given ahead
    const [ahead] = worker.given();
    Atomics.store(worker.block, board.RECENT_US, 0);
    pool.submits(dying); // stays in the queue
    expect([pool.word(board.AHEAD), pool.word(board.QUEUED)]).toEqual([1, 1]);
    pool.host.threadGone(dying);
    expect(worker.claims(ahead as AgentTask)).toBe(false);
    expect([pool.word(board.AHEAD), pool.word(board.QUEUED), pool.word(board.CANCELLED)]).toEqual([0, 0, 2]);
    expect(pool.word(board.OUTSTANDING)).toBe(1);
  });

  test("is known to the worker that it has taken, and only there", () => {
    const { pool, main, worker } = upPool({ maxWorkers: 2, minWorkers: 2 });
    const other = pool.threads()[1] as PlayedThread;
    other.comesUp();
    pool.sendsTo(worker, main);
    pool.host.threadGone(main);
    const seat = board.seatOf(worker.block[board.PLACE] as number);
    expect([worker.block[board.GONE_SEAT], other.block[board.GONE_SEAT]]).toEqual([seat + 1, 0]);
  });
});

describe("a cancelled task", () => {
  test("that its worker begins only after the grace is found all the same", () => {
    vi.useFakeTimers();
    const { pool, main, worker } = upPool();
    const callId = pool.sendsTo(worker, main) as number;
    pool.host.cancel(main, callId, undefined);
    vi.advanceTimersByTime(20); // the grace is over, and the worker still imports something
    worker.beginsDirect(main.id, callId);
    expect(worker.isOver).toBe(false);
    vi.advanceTimersByTime(100);
    expect(worker.isOver).toBe(true);
  });

  test("beside another costs its worker the thread only if that has ceased to turn", () => {
    for (const turns of [true, false]) {
      vi.useFakeTimers();
      const up = upPool();
      const { pool, main, worker } = up;
      const running = runsGiven(up).message[1];
      const awaited = pool.submits(main);
      pool.host.helpWaiting((task) => (task === `${main.id}.${running}` ? [`${main.id}.${awaited}`] : []));
      pool.host.cancel(main, awaited, undefined);
      if (turns) worker.say({ t: "pong", from: main.id, callId: awaited, pending: true });
      vi.advanceTimersByTime(1_000);
      expect(worker.isOver).toBe(!turns);
    }
  });

  test("that was given ahead is taken back, and the worker that has it in hand passes over it", () => {
    const up = upPool();
    const { pool, main, worker } = up;
    runsGiven(up);
    isQuick(worker);
    const callId = pool.submits(main);
    const [ahead] = worker.given();
    pool.host.cancel(main, callId, undefined);
    const instead = pool.submits(main); // may get the same word
    expect(worker.claims(ahead as AgentTask)).toBe(false);
    const [next] = worker.given();
    expect(next?.message[1]).toBe(instead);
    expect(next?.ring).toBe(ahead?.ring);
    expect(worker.claims(next as AgentTask)).toBe(true);
    expect([pool.word(board.AHEAD), pool.word(board.CANCELLED)]).toEqual([0, 1]);
  });

  test("that its worker has begun in that very moment is not taken back", () => {
    const up = upPool();
    const { pool, main, worker } = up;
    runsGiven(up);
    isQuick(worker);
    const callId = pool.submits(main);
    const [ahead] = worker.given();
    expect(worker.claims(ahead as AgentTask)).toBe(true);
    pool.host.cancel(main, callId, undefined);
    expect([pool.word(board.AHEAD), pool.word(board.CANCELLED)]).toEqual([0, 0]);
    expect(worker.told().map(({ t }) => t)).toContain("cancel");
  });
});

describe("a busy worker", () => {
  test("that its submitter has sent tasks is not given others ahead of them, or behind", () => {
    const { pool, main, worker } = upPool();
    pool.sendsTo(worker, main);
    pool.sendsTo(worker, main);
    isQuick(worker);
    pool.submits(submitter());
    expect(worker.given()).toEqual([]);
    expect(pool.word(board.QUEUED)).toBe(1);
  });

  test("has what it was given ahead taken by a worker that has nothing", () => {
    const { pool, main, worker } = upPool({ maxWorkers: 2, minWorkers: 2 });
    const other = pool.threads()[1] as PlayedThread;
    other.comesUp();
    other.told();
    for (const thread of [worker, other]) {
      pool.submits(main);
      thread.begins(thread.given()[0] as AgentTask);
      thread.say({ t: "begun" });
    }
    isQuick(worker);
    const ahead = [1, 2].map(() => pool.submits(main));
    expect(worker.given().map(({ message }) => message[1])).toEqual(ahead);
    other.counts();
    other.isIdle();
    expect(other.given().map(({ message }) => message[1])).toEqual(ahead.slice(1));
  });

  test("has what it was given ahead taken by a new thread where another has ended", () => {
    const up = upPool({ maxWorkers: 2 });
    const { pool, main, worker } = up;
    runsGiven(up);
    pool.submits(main); // for a second thread
    const other = pool.threads()[1] as PlayedThread;
    other.comesUp();
    other.begins(other.given()[0] as AgentTask);
    isQuick(worker);
    pool.submits(main);
    expect(worker.given()).toHaveLength(1);
    other.crashes();
    expect(pool.threads()).toHaveLength(3);
  });

  test("finds that something was given before it finds that nothing is queued", () => {
    const { pool, main, worker } = upPool();
    const seen: number[] = [];
    rightAfter("sub", pool.head, board.QUEUED, () => seen.push(pool.word(board.AHEAD)));
    pool.submits(main);
    expect(seen).toEqual([1]);
    expect(worker.given()).toHaveLength(1);
  });

  test("is given what was moved to it only when it can begin it", () => {
    const up = upPool();
    const { pool, main, worker } = up;
    runsGiven(up);
    isQuick(worker);
    const batch = [false, true].map((moved) => {
      Atomics.store(worker.block, board.RECENT_US, 0); // both wait
      return pool.submits(main, { moved });
    });
    isQuick(worker);
    pool.host.poke();
    expect(worker.given().map(({ message }) => message[1])).toEqual(batch.slice(0, 1));
  });

  test("that goes for its memory's sake gives back what it has not begun", () => {
    const up = upPool({ maxWorkers: 2 });
    const { pool, main, worker } = up;
    runsGiven(up);
    pool.submits(main); // for a second thread
    expect(pool.threads()).toHaveLength(2);
    const second = pool.threads()[1] as PlayedThread;
    second.comesUp();
    second.begins(second.given()[0] as AgentTask);
    second.say({ t: "begun" });
    isQuick(worker);
    const ahead = pool.submits(main);
    expect(worker.given().map(({ message }) => message[1])).toEqual([ahead]);
    worker.say({ t: "recycle" });
    expect([pool.word(board.AHEAD), pool.word(board.QUEUED)]).toEqual([0, 1]);
    expect(worker.told().map(({ t }) => t)).toEqual(["drain"]);
  });

  test("that stands still for a task is not given that task to run beside", () => {
    const up = upPool({}, true);
    const { pool, main, worker } = up;
    const running = runsGiven(up).message[1];
    const awaited = pool.submits(main);
    pool.host.helpWaiting((task) => (task === `${main.id}.${running}` ? [`${main.id}.${awaited}`] : []));
    expect(worker.given()).toEqual([]);
  });
});

describe("whoever waits for a task that was sent ahead", () => {
  test("waits for the worker and what that is busy with; for one that has begun, for that alone", () => {
    const { pool, main, worker } = upPool();
    const [running, behind] = [pool.sendsTo(worker, main) as number, pool.sendsTo(worker, main) as number];
    worker.beginsDirect(main.id, running);
    const target = (callId: number) => ({ on: "task", executor: "", callId, label: "" }) as const;
    const anyOf = pool.host.threadIds();
    const busyWith = [[`${main.id}.${running}`]];
    expect(pool.host.answerers(target(behind), main.id)).toEqual({ live: false, anyOf, busyWith });
    expect(pool.host.answerers(target(running), main.id)).toEqual({ live: false, anyOf, busyWith });
    worker.counts(); // its answer is on its way
    expect(pool.host.answerers(target(running), main.id)).toEqual({ live: true });
  });
});

test("a worker that submits to its own pool does so by way of the queue: it is not connected with itself", () => {
  const { pool, worker } = upPool({ maxWorkers: 2, minWorkers: 2 });
  const own = pool.lineOf(worker);
  pool.host.submit(own, [], false);
  expect(pool.of("connect").filter(({ to }) => to === own.id)).toEqual([]);
  const other = pool.threads()[1] as PlayedThread;
  other.comesUp();
  expect(pool.of("connect").filter(({ to }) => to === own.id)).toHaveLength(1);
});

describe("an idle worker", () => {
  test("that direct tasks keep busy, past the supervisor, is not ended for idleness", () => {
    vi.useFakeTimers();
    const { pool, main, worker } = upPool({ minWorkers: 0, idleTimeoutMs: 50 });
    for (let look = 0; look < 3; look++) {
      const callId = pool.sendsTo(worker, main) as number;
      worker.beginsDirect(main.id, callId);
      worker.counts();
      board.leavePlace(worker.block);
      worker.isIdle();
      vi.advanceTimersByTime(50);
      expect(worker.isOver).toBe(false);
    }
    vi.advanceTimersByTime(100);
    expect(worker.isOver).toBe(true);
  });

  test("beside which a task still awaits is not ended for idleness", () => {
    vi.useFakeTimers();
    const up = upPool({ minWorkers: 0, idleTimeoutMs: 50 });
    const { pool, main, worker } = up;
    const running = runsGiven(up).message[1];
    const awaited = pool.submits(main);
    pool.host.helpWaiting((task) => (task === `${main.id}.${running}` ? [`${main.id}.${awaited}`] : []));
    worker.counts();
    worker.isIdle();
    worker.say({ t: "free" });
    vi.advanceTimersByTime(200);
    expect(worker.isOver).toBe(false);
    worker.say({ t: "besideEnded", from: main.id, callId: awaited, ok: true });
    vi.advanceTimersByTime(200);
    expect(worker.isOver).toBe(true);
  });
});
