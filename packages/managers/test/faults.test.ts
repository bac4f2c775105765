/** What a task can do to its thread, and that it does it to nobody else. */

import { getOrCreateThreadManager, managerTree, type ThreadNode } from "@duck-ts/managers";
import { DataNotCloneableError, WorkerCrashedError } from "@duck-ts/runtime";
import { openTasks } from "@duck-ts/runtime/internal";
import { describe, expect, test } from "vitest";
import * as dying from "./fixtures/dies-when-imported.mjs";
import { late } from "./fixtures/slow-to-import.mjs";
import * as tasks from "./fixtures/tasks.mjs";
import { eventually, failure, newGate, newWords, open, outcome, reached, within } from "./support/gates.ts";
import { orphanOf, rawOwner } from "./support/lineage.ts";
import { freshId, kinds, quiet, start, startLoop, startPool } from "./support/managers.ts";
import { inRawWorker } from "./support/raw-worker.ts";
import { storm } from "./support/storm.ts";

const small = { maxOldGenerationSizeMb: 24 };

/** Issue 3 asks for a storm of 5,000 tasks: DUCK_STORM_TASKS=5000. */
const STORM_TASKS = Number(process.env.DUCK_STORM_TASKS ?? 400);

describe.each(kinds)("in a %s manager", (kind) => {
  test("a task that runs out of memory is a WorkerCrashedError that says so, and the next one runs", async () => {
    const manager = start(kind, { resourceLimits: small });
    for (let round = 0; round < 2; round++) {
      const error = await failure(manager.submitTask(tasks.outOfMemory(), quiet));
      expect(error).toBeInstanceOf(WorkerCrashedError);
      expect(error).toMatchObject({ reason: "out-of-memory", code: "DUCK_WORKER_CRASHED" });
      expect(await manager.submitTask(tasks.echo("after"))).toBe("after");
    }
    expect(await manager.stats()).toMatchObject({ crashes: 2, failed: 2, completed: 2 });
  });

  test("a thread that ends while it imports a task's module fails that task with the exit code", async () => {
    // The story: nothing said that the task had begun, so nobody was told of its end.
    const manager = start(kind);
    expect(await failure(manager.submitTask(dying.neverRuns(), quiet))).toMatchObject({ reason: "exit", exitCode: 4 });
    expect(await manager.submitTask(tasks.echo("after"))).toBe("after");
  });

  test("a thread that ends while the result is being cloned fails that task, not nobody", async () => {
    // The story: the books said "ended" before the answer had left. A getter of the result, or the memory it takes to
    // clone a large one, can still end the thread at that point.
    const manager = start(kind);
    expect(await failure(manager.submitTask(tasks.exitsWhileItsResultIsCloned(5), quiet))).toMatchObject({
      reason: "exit",
      exitCode: 5,
    });
    expect(await manager.submitTask(tasks.echo("after"))).toBe("after");
  });

  test("tasks behind one that ends the thread run in the next, each once", async () => {
    const manager = start(kind);
    await manager.submitTask(tasks.nothing);
    const counter = newWords(1);
    const crash = manager.submitTask(tasks.exits(1), quiet);
    const behind = Array.from({ length: 50 }, () => manager.submitTask(tasks.counts(counter), quiet));
    expect(await outcome(crash)).toBe("WorkerCrashedError");
    expect(new Set(await Promise.all(behind.map(outcome)))).toEqual(new Set(["ok"]));
    expect(counter[0]).toBe(50);
  });

  test("a thread that blocks on a task behind one that ends the thread has it run in the next", async () => {
    // The story: it was sent again at the end of the submitter's turn, and a blocked thread comes to no end of its turn.
    const manager = start(kind);
    await manager.submitTask(tasks.nothing);
    manager.submitTask(tasks.exits(1), quiet);
    expect(manager.submitTask(tasks.echo("in the next"), quiet).result(10_000)).toBe("in the next");
  });

  test("counts come out even after crashes, deadlines and refusals", async () => {
    const manager = start(kind);
    const futures = [tasks.exits(1), tasks.echo(1), tasks.uncloneable(), tasks.fails("x"), tasks.echo(2)].map((call) =>
      manager.submitTask<unknown>(call, quiet),
    );
    await Promise.all(futures.map(outcome));
    expect(await outcome(manager.submitTask(tasks.never(), { timeoutMs: 10, ...quiet }))).toBe("TaskTimeoutError");
    await eventually(async () => {
      const stats = await manager.stats();
      return kind === "loop" || ("active" in stats && stats.active === 0);
    }, "nothing to be running");
    expect(await manager.stop({ timeoutMs: 100 })).toMatchObject({ completed: 0 });
  });

  test("what a dead owner had is stopped and forgotten: after terminate(), process.exit(), an uncaught error, out of memory", async () => {
    for (const end of ["terminate", "exit", "throw", "run out of memory"] as const) {
      const id = freshId();
      const owner = await rawOwner({ [kind]: [id] }, small);
      const [found, goOn] = [newGate(), newGate()];
      const heir = orphanOf(owner.links, { kind, id, found, goOn });
      await reached(found);
      if (end === "terminate") await owner.terminate();
      else owner.worker.postMessage(end);
      await eventually(
        async () => !owns(await managerTree(), id),
        `the manager of an owner that ended by ${end} to be forgotten`,
      );
      open(goOn);
      expect(await heir).toEqual({
        before: owner.id,
        ran: "on the owner's",
        after: "DUCK_MANAGER_NOT_FOUND",
        remembered: "DUCK_MANAGER_NOT_RUNNING",
      });
    }
  });
});

describe("in a loop", () => {
  test("a task that is still to be imported when a later one ends the thread, and that later one, are each told once", async () => {
    // The story: tasks were counted as begun in the order in which their modules came in; the later one overtook, took
    // the earlier one's place in the count, and so was run again in the next thread, and ended that one too.
    const loop = startLoop();
    await loop.submitTask(tasks.nothing);
    const attempts = newWords(1);
    const slow = loop.submitTask(late(), quiet);
    const ends = loop.submitTask(tasks.countsThenExits(attempts), quiet);
    expect(await Promise.all([outcome(slow), outcome(ends)])).toEqual(["WorkerCrashedError", "WorkerCrashedError"]);
    expect(await loop.submitTask(tasks.echo("after"))).toBe("after");
    expect(attempts[0]).toBe(1);
    expect(await loop.stats()).toMatchObject({ crashes: 1, pending: 0 });
  });

  test("a task that was cancelled before it began is counted as done with: what then ends the thread is not run again", async () => {
    const loop = startLoop();
    await loop.submitTask(tasks.nothing);
    for (const ms of [0, 15, 15]) void loop.submitTask(tasks.holdsFor(ms)); // a turn of the loop is 10 ms long
    const cancelled = loop.submitTask(tasks.holdsFor(0), quiet);
    cancelled.cancel();
    await eventually(async () => (await loop.stats()).cancelled === 1, "it to be dropped");
    const attempts = newWords(1);
    expect(await outcome(loop.submitTask(tasks.countsThenExits(attempts), quiet))).toBe("WorkerCrashedError");
    expect(await loop.submitTask(tasks.echo("after"))).toBe("after");
    expect(attempts[0]).toBe(1);
  });

  test("that is stopped after crashes has nothing left to wait for", async () => {
    // The story: what a dead thread had taken with it stayed counted as outstanding, so stop() waited out its time.
    const loop = startLoop();
    for (let round = 0; round < 5; round++) {
      const futures = [1, 2, 3].map(() => loop.submitTask(tasks.exits(1), quiet));
      await Promise.all(futures.map(outcome));
    }
    expect(loop.getEventLoop().pending).toBe(0);
    expect(await within(loop.stop({ timeoutMs: 60_000 }), "stop()")).toMatchObject({ terminated: 0 });
  });
});

describe("in a pool", () => {
  test("an async task's answer does not wait behind the next task, which never ends", async () => {
    // The story: the next task was begun before the answer was sent, and when that one was ended the answer died with it.
    const pool = startPool({ abortGraceMs: 20 });
    for (let i = 0; i < 5; i++) await pool.submitTask(tasks.echoAsync(i));
    const quick = [1, 2].map((n) => pool.submitTask(tasks.echoAsync(n), quiet));
    const endless = pool.submitTask(tasks.spins(newGate()), { timeoutMs: 200, ...quiet });
    expect(await within(Promise.all(quick), "the answers before the endless task")).toEqual([1, 2]);
    expect(await outcome(endless)).toBe("TaskTimeoutError");
  });

  test("what a busy worker was given ahead moves to a new thread when another of its size has gone", async () => {
    // The story: a task was handed ahead to a worker while the pool was full. Then a worker was ended for its deadline,
    // nobody took its place, and the task waited behind a long one although there was room for a thread.
    const pool = startPool({ maxWorkers: 2, abortGraceMs: 100 });
    await Promise.all(Array.from({ length: 20 }, () => pool.submitTask(tasks.nothing)));
    const stuck = pool.submitTask(tasks.never(), { timeoutMs: 10, ...quiet });
    expect(await outcome(stuck)).toBe("TaskTimeoutError");
    const [begun, gate] = [newGate(), newGate()];
    const long = pool.submitTask(tasks.holds(begun, gate, "long"));
    const short = pool.submitTask(tasks.echo("short"));
    expect(await within(short, "the short task, whose worker is held")).toBe("short");
    open(gate);
    expect(await long).toBe("long");
  });

  test("a submitter that exits in the turn in which it submits leaves no worker taken and no count behind", async () => {
    // The story: it had taken the worker, or counted its task, and its message was to leave at the end of the turn.
    const pool = startPool({ maxWorkers: 1, maxQueue: 3 });
    const submitters = startPool({ maxWorkers: 1, abortGraceMs: 20 });
    const counter = newWords(1);
    for (let round = 0; round < 6; round++) {
      await submitters.submitTask(tasks.looksUpAndRuns("thread", pool.id, 1)); // a worker that knows the other pool's
      expect(await outcome(submitters.submitTask(tasks.submitsThenExits("thread", pool.id, counter), quiet))).toBe(
        "WorkerCrashedError",
      );
      expect(await within(pool.submitTask(tasks.echo(round)), "the pool to go on")).toBe(round);
    }
    await eventually(() => pool.getPool().active + pool.getPool().queued === 0, "nothing to be left");
  });

  test("a submitter that is ended before its turn is over leaves no worker taken", async () => {
    const pool = startPool();
    const submitters = startPool({ abortGraceMs: 20 });
    await submitters.submitTask(tasks.looksUpAndRuns("thread", pool.id, 1));
    const ended = submitters.submitTask(tasks.submitsThenSpins("thread", pool.id, newWords(1)), {
      timeoutMs: 100,
      ...quiet,
    });
    expect(await outcome(ended)).toBe("TaskTimeoutError");
    expect(await within(pool.submitTask(tasks.echo("goes on")), "the pool to go on")).toBe("goes on");
  });

  test("workerInit runs in each thread before its first task, and in those that replace others", async () => {
    const pool = startPool({ maxWorkers: 2, workerInit: tasks.initialises({ ready: true }) });
    expect(await Promise.all([1, 2, 3, 4].map(() => pool.submitTask(tasks.initialised)))).toEqual(
      new Array(4).fill({ ready: true }),
    );
    await outcome(pool.submitTask(tasks.exits(1), quiet));
    expect(await pool.submitTask(tasks.initialised)).toEqual({ ready: true });
  });

  test.each([
    ["throws", () => tasks.initialiseFails("no database")],
    ["ends the thread", () => tasks.exits(5)],
  ])("a workerInit that %s stops the pool after some attempts, and its tasks are told why", async (how, init) => {
    const pool = getOrCreateThreadManager(freshId()).start({ maxWorkers: 1, workerInit: init() });
    const error = await failure(pool.submitTask(tasks.echo(1), quiet));
    expect(error).toMatchObject({ name: "TaskCancelledError" });
    const said = how === "throws" ? "no database" : "code 5";
    expect((error as Error).message).toContain(said);
    expect((error as Error).cause).toMatchObject({ message: expect.stringContaining(said) });
    await eventually(() => pool.state === "stopped", "the pool to be stopped");
    await using again = pool.start({ maxWorkers: 1 });
    expect(await again.submitTask(tasks.echo("without it"))).toBe("without it");
  });

  test("memoryLimitMb replaces a thread whose buffers grew past it, after its task, without a failure", async () => {
    const pool = startPool({ memoryLimitMb: 200 });
    const first = await pool.submitTask(tasks.threadIdHere);
    const seen = new Set<number>();
    await eventually(async () => {
      seen.add(await pool.submitTask(tasks.holdsBytes(40)));
      return seen.size > 1;
    }, "another thread");
    expect(seen.has(first)).toBe(true);
    expect(await pool.stats()).toMatchObject({ crashes: 0, failed: 0 });
  });

  test("memoryLimitMb replaces a thread after the very task that filled it", async () => {
    const pool = startPool({ memoryLimitMb: 100 });
    const filled = await pool.submitTask(tasks.holdsBytes(120));
    expect(await pool.submitTask(tasks.threadIdHere)).not.toBe(filled);
  });

  test("a raw Worker gets a result that holds a port as an error, and the supervisor lives", async () => {
    const pool = startPool();
    await expect(inRawWorker("looksUpAndGetsPort", "thread", pool.id)).rejects.toThrow(
      /DataNotCloneableError|DataCloneError/,
    );
    expect(await pool.submitTask(tasks.echo("after"))).toBe("after");
  });

  test("what a raw Worker gives away is gone from it, though no way leads from there but one that copies", async () => {
    for (const [kind, { id }] of [["thread", startPool()] as const, ["loop", startLoop()] as const])
      expect(await inRawWorker("looksUpAndMoves", kind, id, [1, 2, 3])).toEqual({ left: 0, doubled: [2, 4, 6] });
  });

  test("a failing argument names its path and the option transfer does not hide it", async () => {
    const bytes = new Uint8Array(8);
    const future = startPool().submitTask(tasks.echo({ bytes, save: () => 1 }), { transfer: [bytes.buffer], ...quiet });
    expect(await failure(future)).toBeInstanceOf(DataNotCloneableError);
    expect(await failure(future)).toMatchObject({ path: "args[0].save" });
  });

  test("what cannot be moved is told of as the list's, not as the arguments'", async () => {
    const stream = new ReadableStream();
    stream.getReader(); // a locked one cannot
    const future = startPool().submitTask(tasks.echo(1), { transfer: [stream], ...quiet });
    expect(await failure(future)).toBeInstanceOf(DataNotCloneableError);
    expect(await failure(future)).toMatchObject({ path: "transfer" });
  });

  test(
    "of four, under hundreds of tasks of which 6 in a hundred are faulty, gives each its own outcome",
    async () => {
      // Issue 3's storm, smaller; seeded, so that a failure can be had again.
      const pool = startPool({ maxWorkers: 4, abortGraceMs: 20, resourceLimits: small });
      const { wrong, byOutcome } = await storm(pool, STORM_TASKS, 20_260_720);
      expect(wrong).toEqual([]);
      expect(byOutcome.ok).toBeGreaterThan(0.85 * STORM_TASKS);
      await eventually(() => pool.getPool().active + pool.getPool().queued === 0, "nothing to be left");
      const ids = await Promise.all(Array.from({ length: 40 }, () => pool.submitTask(tasks.threadIdHere)));
      expect(new Set(ids).size).toBeLessThanOrEqual(4);
      await eventually(async () => poolThreads(await managerTree(), pool.id).length <= 4, "no more than four threads");
      expect([...openTasks()]).toEqual([]);
      if (STORM_TASKS > 400) {
        const { crashes, replacements } = await pool.stats();
        console.info(
          `${process.version}: ${JSON.stringify(byOutcome)}, ${crashes} crashes, ${replacements} replacements, ` +
            `${pool.getPool().workers} workers, active resources [${process.getActiveResourcesInfo()}], ` +
            `${Math.round(process.memoryUsage.rss() / 1048576)} MB`,
        );
      }
    },
    60_000 + STORM_TASKS * 60,
  );
});

function owns(tree: ThreadNode, id: string): boolean {
  return tree.managers.some((manager) => manager.id === id) || tree.children.some((child) => owns(child, id));
}

function poolThreads(tree: ThreadNode, id: string): string[] {
  const here = tree.kind === "pool" && tree.alive && tree.name.startsWith(`duck:pool-${id}-`) ? [tree.name] : [];
  return [...here, ...tree.children.flatMap((child) => poolThreads(child, id))];
}
