/** Waits that could never end: each is an error that names the cycle, or does not arise at all. */
import { DeadlockError, SyncFuture } from "@duck-ts/runtime";
import { describe, expect, test } from "vitest";
import * as tasks from "./fixtures/tasks.mjs";
import { failure, newGate, open, outcome, reached, within } from "./support/gates.ts";
import { kinds, quiet, start, startLoop, startPool } from "./support/managers.ts";

describe("a task that waits for its own manager", () => {
  test("on a loop, blocking for a task of the same loop, is a DeadlockError that names the loop", async () => {
    const loop = startLoop();
    for (const nested of [tasks.blocksOn("loop", loop.id, 1), tasks.blocksOnAsync("loop", loop.id, 1)]) {
      const error = (await failure(loop.submitTask(nested, quiet))) as DeadlockError;
      expect(error).toBeInstanceOf(DeadlockError);
      expect(error.message).toContain(loop.id);
      expect(error.cycle).toHaveLength(1);
    }
    expect(await loop.submitTask(tasks.echo("goes on"))).toBe("goes on");
  });

  test("on a loop, awaiting it, just runs", async () => {
    const loop = startLoop();
    expect(await loop.submitTask(tasks.awaitsOn("loop", loop.id, 1))).toBe(1);
  });

  test("on a full pool, blocking for a synchronous one, gets that run on its own thread", async () => {
    const pool = startPool();
    const nested = pool.submitTask(tasks.blocksOn("thread", pool.id, { deep: true }));
    expect(await within(nested, "the nested task")).toEqual({ deep: true });
    expect(await pool.stats()).toMatchObject({ completed: 2, active: 0, queued: 0 });
  });

  test("on a full pool, run on its own thread, the inner one gets what it would get elsewhere: copies, context, futures", async () => {
    // The story: its arguments were cloned without the codec, so futures and error classes came out mangled.
    const pool = startPool();
    const inside = (argument: unknown): Promise<unknown> =>
      within(pool.submitTask(tasks.blocksWith("thread", pool.id, argument), quiet), "the nested task");
    expect(await inside(new SyncFuture())).toMatchObject({ kind: "SyncFuture" });
    expect(await inside(new RangeError("as argument"))).toMatchObject({ kind: "RangeError", message: "as argument" });
    expect(await inside(new Map([[1, 2]]))).toMatchObject({ kind: "Map" });
    const withUser = tasks.user.run("ada", () => pool.submitTask(tasks.blocksWith("thread", pool.id, 1)));
    expect(await withUser).toMatchObject({ user: "ada" });
  });

  test("on a full pool, run on its own thread, an inner one that returns what cannot be cloned fails as elsewhere", async () => {
    const pool = startPool();
    expect(await failure(pool.submitTask(tasks.blocksOnUncloneable(pool.id), quiet))).toMatchObject({
      code: "DUCK_DATA_NOT_CLONEABLE",
      path: "result.deep.inside[1]",
    });
  });

  test("on a full pool, blocking for an async one, is a DeadlockError that names the pool, and the pool goes on", async () => {
    const pool = startPool();
    const error = (await failure(pool.submitTask(tasks.blocksOnAsync("thread", pool.id, 1), quiet))) as DeadlockError;
    expect(error).toBeInstanceOf(DeadlockError);
    expect(error.message).toContain(pool.id);
    expect(await within(pool.submitTask(tasks.echo("goes on")), "the pool to go on")).toBe("goes on");
  });

  test("on a full pool, blocking for one whose argument was moved away, does not hang", async () => {
    const pool = startPool();
    expect(await outcome(pool.submitTask(tasks.blocksOnMoved("thread", pool.id), quiet))).toBe("DeadlockError");
    expect(await pool.submitTask(tasks.echo("goes on"))).toBe("goes on");
  });

  test("on a full pool, with all its workers doing so at once, gets every answer", async () => {
    const pool = startPool({ maxWorkers: 2 });
    const nested = Array.from({ length: 20 }, (_, n) => pool.submitTask(tasks.blocksOn("thread", pool.id, n)));
    expect(await within(Promise.all(nested), "twenty nested waits")).toEqual(Array.from({ length: 20 }, (_, n) => n));
  });

  test.each([
    ["the first of its pool", 0],
    // The story: once the pool knew its tasks to be short, it handed the inner one ahead to the very worker that awaited it.
    ["after short ones", 20],
  ])("on a pool of one, awaiting it, as %s, gets it run beside itself", async (_, before) => {
    const pool = startPool();
    for (let i = 0; i < before; i++) await pool.submitTask(tasks.nothing);
    expect(await within(pool.submitTask(tasks.awaitsOn("thread", pool.id, "inner")), "the awaited task")).toBe("inner");
    expect(await within(pool.submitTask(tasks.awaitsManyOn("thread", pool.id, 100)), "a hundred awaited tasks")).toBe(
      4950,
    );
  });

  test("on a pool of one, five deep, each awaiting the next, comes to its end", async () => {
    const pool = startPool();
    expect(await within(pool.submitTask(tasks.awaitsInTurn(5, ["thread"], [pool.id])), "five nested awaits")).toBe(
      "pool",
    );
  });

  test("that crashes after it awaited a task beside it is known as crashed, and its worker is replaced", async () => {
    // The story: the task beside it took its place in the books, so nobody was told of the outer one's end.
    const pool = startPool();
    expect(await failure(pool.submitTask(tasks.awaitsThenExits("thread", pool.id, 9), quiet))).toMatchObject({
      reason: "exit",
      exitCode: 9,
    });
    expect(await outcome(pool.submitTask(tasks.awaitsThenSpins("thread", pool.id), { timeoutMs: 200, ...quiet }))).toBe(
      "TaskTimeoutError",
    );
    expect(await within(pool.submitTask(tasks.echo("goes on")), "the pool to go on")).toBe("goes on");
    expect(await pool.stats()).toMatchObject({ active: 0, queued: 0 });
  });
});

describe("managers that wait for each other", () => {
  test("two loops, each blocking on the other: one gets a DeadlockError that names both, and both go on", async () => {
    const [a, b] = [startLoop(), startLoop()];
    const [atA, atB] = [newGate(), newGate()];
    const one = a.submitTask(tasks.blocksInTurn(atA, atB, "loop", b.id), quiet);
    const other = b.submitTask(tasks.blocksInTurn(atB, atA, "loop", a.id), quiet);
    const outcomes = await Promise.all([outcome(one), outcome(other)]);
    expect(outcomes).toContain("DeadlockError");
    const error = (await failure(outcomes[0] === "DeadlockError" ? one : other)) as DeadlockError;
    expect(error.cycle.join("\n")).toContain(a.id);
    expect(error.cycle.join("\n")).toContain(b.id);
    expect(await Promise.all([a.submitTask(tasks.echo(1)), b.submitTask(tasks.echo(2))])).toEqual([1, 2]);
  });

  test("a pool's task that blocks on a loop's task that blocks on the pool: a DeadlockError passes outwards", async () => {
    const [pool, loop] = [startPool(), startLoop()];
    const future = pool.submitTask(tasks.blocksOnTaskThatBlocks("loop", loop.id, "thread", pool.id), quiet);
    const error = (await failure(future)) as DeadlockError;
    expect(error).toBeInstanceOf(DeadlockError);
    expect(await Promise.all([pool.submitTask(tasks.echo(1)), loop.submitTask(tasks.echo(2))])).toEqual([1, 2]);
  });

  test("a loop's task that blocks on a pool's task that blocks on the loop: the same", async () => {
    const [pool, loop] = [startPool(), startLoop()];
    const future = loop.submitTask(tasks.blocksOnTaskThatBlocks("thread", pool.id, "loop", loop.id), quiet);
    expect(await failure(future)).toBeInstanceOf(DeadlockError);
    expect(await Promise.all([pool.submitTask(tasks.echo(1)), loop.submitTask(tasks.echo(2))])).toEqual([1, 2]);
  });

  test.each(["thread", "loop"] as const)(
    "a thread that blocks on a task (of a %s) which awaits a future that only that thread could settle: the same",
    async (kind) => {
      const [pool, loop] = [startPool(), startLoop()];
      const [awaiter, blocker] = kind === "thread" ? [pool, loop] : [loop, pool];
      const future = blocker.submitTask(tasks.blocksOnAwaiterOfItsFuture(kind, awaiter.id), quiet);
      const error = (await within(failure(future), "the error")) as DeadlockError;
      expect(error).toBeInstanceOf(DeadlockError);
      expect(error.cycle).toHaveLength(2);
      await awaiter.stop({ wait: false, timeoutMs: 0 }); // the task that awaits does so for ever
    },
  );

  test("a pool of one and a loop, each awaiting the other, six deep, come to their end", async () => {
    // The story: the pool saw only its own workers' waits, so a task that came back by way of a loop stayed in its queue.
    const [pool, loop] = [startPool(), startLoop()];
    const future = pool.submitTask(tasks.awaitsInTurn(6, ["thread", "loop"], [pool.id, loop.id]), quiet);
    expect(await within(future, "six nested awaits across a loop")).toBeTypeOf("string");
  });

  test("two pools of one, each awaiting the other, six deep, come to their end", async () => {
    const [a, b] = [startPool(), startPool()];
    const future = a.submitTask(tasks.awaitsInTurn(6, ["thread", "thread"], [a.id, b.id]), quiet);
    expect(await within(future, "six nested awaits across two pools")).toBe("pool");
  });

  test("the main thread blocked on a worker that blocks on a future only main could settle", () => {
    const pool = startPool();
    const future = new SyncFuture<string>();
    const waiting = pool.submitTask(tasks.waitsForFuture(future), quiet);
    expect(() => waiting.result(10_000)).toThrow(DeadlockError);
    future.setResult("too late");
  });

  test.each(kinds)(
    "the main thread blocked on a worker that blocks on another task of main's, of a %s, is none: it passes the answer on",
    (kind) => {
      // The story: the supervisor knew that future as main's, and main as blocked. But its answer comes from a third thread.
      const slow = start(kind).submitTask(tasks.echoesAfter(100, "slow"));
      const waiting = startPool().submitTask(tasks.waitsForFuture(slow), quiet);
      expect(waiting.result(10_000)).toBe("slow");
    },
  );

  test.each(kinds)("a future that is settled by a task of a %s whose thread is not up yet is none", (kind) => {
    // The story: only threads that had come to the future counted as able to settle it, not the tasks that were to.
    const future = new SyncFuture<number>();
    const settling = start(kind).submitTask(tasks.settles(future, 5));
    expect(future.result(10_000)).toBe(5);
    expect(settling.result(10_000)).toBe(true);
  });

  test("a future that is settled by a task that waits behind another is none, nor is one that is passed on", async () => {
    const [pool, other] = [startPool(), startPool()];
    const [queued, passedOn] = [new SyncFuture<string>(), new SyncFuture<string>()];
    pool.submitTask(tasks.holdsFor(200));
    pool.submitTask(tasks.settles(queued, "behind"));
    expect(queued.result(10_000)).toBe("behind");
    const passing = pool.submitTask(tasks.hasItSettledBy("thread", other.id, passedOn, "by another"));
    expect(passedOn.result(10_000)).toBe("by another");
    expect(await passing).toBe(true);
  });

  test("a future that is settled by a task behind the one that blocks on it, while main blocks on that", () => {
    const pool = startPool();
    const future = new SyncFuture<string>();
    const waiting = pool.submitTask(tasks.waitsForFuture(future), quiet);
    pool.submitTask(tasks.settles(future, "too late"));
    expect(() => waiting.result(10_000)).toThrow(DeadlockError);
  });

  test("a loop's task that blocks on a future it was given, of another task of that very loop", async () => {
    const loop = startLoop();
    const slow = loop.submitTask(tasks.echoesAfter(300, "slow"));
    expect(await outcome(loop.submitTask(tasks.waitsForFuture(slow), quiet))).toBe("DeadlockError");
    expect(await slow).toBe("slow");
  });

  test("what a thread has submitted elsewhere begins also when it blocks for something else right after", async () => {
    const [pool, loop] = [startPool(), startLoop()];
    const [begun, gate] = [newGate(), newGate()];
    await loop.submitTask(tasks.keepsGate(gate));
    const waiting = pool.submitTask(tasks.holds(begun, gate, "open"));
    const opening = loop.submitTask(tasks.opensKept()); // held back for the end of the turn, to travel with others
    expect(waiting.result(10_000)).toBe("open");
    await opening;
  });

  test("a pool with a free worker is no deadlock: what blocks there is answered", async () => {
    const pool = startPool({ maxWorkers: 2 });
    expect(
      await within(pool.submitTask(tasks.blocksOnAsync("thread", pool.id, "other worker")), "the other worker"),
    ).toBe("other worker");
  });

  test("a worker that is busy for long is no deadlock: what waits for it is answered when it is free", async () => {
    const [pool, other] = [startPool(), startPool()];
    const [begun, gate] = [newGate(), newGate()];
    const busy = pool.submitTask(tasks.holds(begun, gate, "done"));
    await reached(begun);
    const waiting = other.submitTask(tasks.blocksOn("thread", pool.id, "after it"));
    open(gate);
    expect(await within(Promise.all([busy, waiting]), "both")).toEqual(["done", "after it"]);
  });
});

test("a future that nobody else has cannot be waited for", () => {
  expect(() => new SyncFuture().result()).toThrow(DeadlockError);
});
