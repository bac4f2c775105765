/** Signals, deadlines, cancel(): what is queued is dropped, what runs is told, and only the culprit's thread is ended. */
import { setTimeout as sleep } from "node:timers/promises";
import { formatManagerTree, managerTree, QueueFullError } from "@duck-ts/managers";
import { SyncFuture, TaskCancelledError, TaskTimeoutError } from "@duck-ts/runtime";
import { openTasks } from "@duck-ts/runtime/internal";
import { describe, expect, test } from "vitest";
import * as hanging from "./fixtures/hangs-when-imported.mjs";
import * as tasks from "./fixtures/tasks.mjs";
import { eventually, failure, newGate, newWords, open, outcome, reached } from "./support/gates.ts";
import { kinds, quiet, start, startLoop, startPool } from "./support/managers.ts";
import { inRawWorker } from "./support/raw-worker.ts";

describe("in a pool", () => {
  test("a queued task whose signal is aborted never starts, and its place in the queue is free again", async () => {
    const pool = startPool({ maxWorkers: 1, maxQueue: 1 });
    const [begun, gate, counter] = [newGate(), newGate(), newGate()];
    const running = pool.submitTask(tasks.holds(begun, gate, "ran"));
    await reached(begun);
    const controller = new AbortController();
    const queued = pool.submitTask(tasks.counts(counter), { signal: controller.signal });
    controller.abort("not needed");
    expect(await failure(queued)).toMatchObject({ name: "TaskCancelledError", reason: "not needed" });
    await eventually(() => pool.getPool().queued === 0, "the queue to be empty");
    const next = pool.submitTask(tasks.echo("next"));
    open(gate);
    expect(await Promise.all([running, next])).toEqual(["ran", "next"]);
    expect(counter[0]).toBe(0);
    expect(await pool.stats()).toMatchObject({ cancelled: 1, completed: 2, crashes: 0, replacements: 0 });
  });

  test("the place of a task that is cancelled in the queue can be taken in the same breath, as often as you like", async () => {
    // Told as it happened: it was free when the supervisor had heard of it, a turn later, and until then the queue was full.
    for (const maxWorkers of [1, 2]) {
      const pool = startPool({ maxWorkers, maxQueue: 2 });
      const gate = newGate();
      const running = Array.from({ length: maxWorkers }, () => {
        const begun = newGate();
        return { begun, future: pool.submitTask(tasks.holds(begun, gate, "ran")) };
      });
      await Promise.all(running.map(({ begun }) => reached(begun)));
      const counter = newGate();
      const first = pool.submitTask(tasks.counts(counter), quiet);
      let last = pool.submitTask(tasks.counts(counter), quiet);
      expect(() => pool.submitTask(tasks.counts(counter))).toThrow(QueueFullError);
      for (let i = 0; i < 100; i++) {
        if (i % 10 === 5) await new Promise((turn) => setImmediate(turn));
        last.cancel();
        last = pool.submitTask(tasks.counts(counter), quiet);
        expect(() => pool.submitTask(tasks.counts(counter))).toThrow(QueueFullError);
      }
      open(gate);
      await Promise.all([first, last, ...running.map(({ future }) => future)]);
      expect(counter[0]).toBe(2);
      expect(await pool.stats()).toMatchObject({ cancelled: 100, completed: 2 + maxWorkers, crashes: 0 });
    }
  });

  test("a queued task whose deadline passes is dropped while its worker is busy with another", async () => {
    const pool = startPool();
    const [begun, gate, counter] = [newGate(), newGate(), newGate()];
    const running = pool.submitTask(tasks.holds(begun, gate, "ran"));
    await reached(begun);
    expect(await failure(pool.submitTask(tasks.counts(counter), { timeoutMs: 20, ...quiet }))).toBeInstanceOf(
      TaskTimeoutError,
    );
    open(gate);
    expect(await running).toBe("ran");
    expect(await pool.submitTask(tasks.threadIdHere)).toBeTypeOf("number");
    expect(counter[0]).toBe(0);
  });

  test("a running task that heeds its signal keeps its thread", async () => {
    const pool = startPool({ abortGraceMs: 5_000 });
    const thread = await pool.submitTask(tasks.threadIdHere);
    const [begun, aborted] = [newGate(), newGate()];
    const controller = new AbortController();
    const future = pool.submitTask(tasks.tellsWhenAborted(begun, aborted), { signal: controller.signal });
    await reached(begun);
    controller.abort();
    expect(await failure(future)).toBeInstanceOf(TaskCancelledError);
    await reached(aborted);
    expect(await pool.submitTask(tasks.threadIdHere)).toBe(thread);
    expect(await pool.stats()).toMatchObject({ crashes: 0, replacements: 0 });
  });

  test("a running task that does not loses its thread after the grace, and its neighbours lose nothing", async () => {
    const pool = startPool({ maxWorkers: 3, abortGraceMs: 20 });
    const [begun, gate, spinning] = [newGate(), newGate(), newGate()];
    const neighbours = [1, 2].map((n) => pool.submitTask(tasks.holds(begun, gate, n)));
    await reached(begun, 2);
    const controller = new AbortController();
    const culprit = pool.submitTask(tasks.spins(spinning), { signal: controller.signal, ...quiet });
    await reached(spinning);
    controller.abort();
    expect(await failure(culprit)).toBeInstanceOf(TaskCancelledError);
    await eventually(async () => (await pool.stats()).replacements === 1, "the culprit's thread to be ended");
    open(gate);
    expect(await Promise.all(neighbours)).toEqual([1, 2]);
    expect(await pool.submitTask(tasks.echo("after"))).toBe("after");
    expect(await pool.stats()).toMatchObject({ crashes: 0, replacements: 1 });
  });

  test("cancel() in the very turn of the submission stops an endless task too, that a free worker takes directly", async () => {
    // The story: a free worker is handed its task over a port, past the supervisor; so when the supervisor heard of the
    // cancellation no worker had begun that task yet, and nobody looked again when the grace was over.
    const pool = startPool({ abortGraceMs: 20 });
    for (let round = 0; round < 5; round++) {
      await pool.submitTask(tasks.nothing);
      const endless = pool.submitTask(tasks.spins(newGate()), quiet);
      endless.cancel();
      expect(await outcome(endless)).toBe("TaskCancelledError");
      expect(await pool.submitTask(tasks.echo("after"))).toBe("after");
    }
  });

  test("an endless loop in a module that is imported for a task is ended at the task's deadline", async () => {
    // The story: nothing said that the task had begun as long as its module was being imported.
    const pool = startPool({ abortGraceMs: 20 });
    expect(await failure(pool.submitTask(hanging.neverRuns(), { timeoutMs: 100, ...quiet }))).toBeInstanceOf(
      TaskTimeoutError,
    );
    expect(await pool.submitTask(tasks.echo("after"))).toBe("after");
  });

  test("a task that is cancelled beside the one that awaits it, and heeds nothing, does not take that one along", async () => {
    const pool = startPool({ abortGraceMs: 250 });
    const value = await pool.submitTask(tasks.cancelsWhatItAwaits(pool.id));
    expect(value).toEqual({ inner: "TaskTimeoutError", outer: "went on" });
    expect(await pool.stats()).toMatchObject({ replacements: 0 });
  });
});

describe("in a loop", () => {
  test("a task that is cancelled is told, and its neighbours on the same thread go on", async () => {
    const loop = startLoop();
    const [begun, gate, told, aborted] = [newGate(), newGate(), newGate(), newGate()];
    const neighbour = loop.submitTask(tasks.holdsTurning(begun, gate, "unharmed"));
    const controller = new AbortController();
    const cancelled = loop.submitTask(tasks.tellsWhenAborted(told, aborted), { signal: controller.signal });
    await reached(begun);
    await reached(told);
    controller.abort();
    expect(await failure(cancelled)).toBeInstanceOf(TaskCancelledError);
    await reached(aborted);
    open(gate);
    expect(await neighbour).toBe("unharmed");
  });

  test("a task that ignores its signal on a loop that turns is left alone", async () => {
    const loop = startLoop({ abortGraceMs: 10 });
    const thread = await loop.submitTask(tasks.threadIdHere);
    const [begun, gate] = [newGate(), newGate()];
    const future = loop.submitTask(tasks.ignoresItsSignal(begun, gate), { timeoutMs: 20, ...quiet });
    expect(await failure(future)).toBeInstanceOf(TaskTimeoutError);
    await sleep(60);
    expect(await loop.submitTask(tasks.threadIdHere)).toBe(thread);
    await eventually(async () => (await loop.stats()).pending === 0, "it not to be waited for any more");
    open(gate);
    await loop.submitTask(tasks.holdsFor(5)); // its timer is due meanwhile
    await loop.submitTask(tasks.threadIdHere); // and with that it has ended
    // Given up is cancelled: that it ended after all is not counted too.
    expect(await loop.stats()).toMatchObject({ completed: 4, cancelled: 1, pending: 0 });
    expect(await loop.stop()).toMatchObject({ terminated: 0 });
  });

  test("a task that blocks the loop past its deadline loses the thread; neighbours are told, what had not begun moves on", async () => {
    const loop = startLoop({ abortGraceMs: 20 });
    const [begun, gate, spinning] = [newGate(), newGate(), newGate()];
    const neighbour = loop.submitTask(tasks.holdsTurning(begun, gate, 1), quiet);
    await reached(begun);
    const culprit = loop.submitTask(tasks.spins(spinning), { timeoutMs: 50, ...quiet });
    await reached(spinning);
    const later = loop.submitTask(tasks.echo("not begun before"));
    expect(await outcome(culprit)).toBe("TaskTimeoutError");
    expect(await outcome(neighbour)).toBe("WorkerCrashedError");
    expect(await later).toBe("not begun before");
    expect(await loop.stats()).toMatchObject({ pending: 0 });
  });

  test.each([0, 20, 40, 60, 80])(
    "a deadline of %s ms, however it falls upon the thread's start, ends a task that hangs it",
    async (timeoutMs) => {
      // The story: the cancellation goes by the supervisor, the task by its own port. A thread that was just coming up
      // answered the supervisor's "do you still turn?" and only then took the task, which hung it for good.
      const loop = startLoop({ abortGraceMs: 5 });
      expect(await failure(loop.submitTask(tasks.spins(newGate()), { timeoutMs, ...quiet }))).toBeInstanceOf(
        TaskTimeoutError,
      );
      await eventually(async () => (await loop.stats()).pending === 0, "the hung thread to be ended");
      expect(await loop.submitTask(tasks.echo("after"))).toBe("after");
    },
  );

  test("an endless loop in a module that is imported for a task is ended, and the task is not sent again", async () => {
    // The story: the task counted as not begun, so it went to the next thread, and hung that one too, for ever.
    const loop = startLoop({ abortGraceMs: 20 });
    expect(await failure(loop.submitTask(hanging.neverRuns(), { timeoutMs: 100, ...quiet }))).toBeInstanceOf(
      TaskTimeoutError,
    );
    await eventually(async () => (await loop.stats()).replacements === 1, "the hung thread to be ended");
    expect(await loop.submitTask(tasks.echo("after"))).toBe("after");
    expect(await loop.stats()).toMatchObject({ replacements: 1, pending: 0 });
  });
});

describe.each(kinds)("in a %s manager", (kind) => {
  test("an aborted signal keeps a task from running even where its submitter blocks from the first moment", () => {
    // The story: the abort was left for a microtask, which never came while the thread stood still.
    const manager = start(kind);
    manager.submitTask(tasks.nothing).result(10_000);
    const counter = newWords(1);
    const future = manager.submitTask(tasks.counts(counter), { signal: AbortSignal.abort(), ...quiet });
    expect(future.exception(5_000)).toBeInstanceOf(TaskCancelledError);
    manager.submitTask(tasks.nothing).result(10_000);
    expect(counter[0]).toBe(0);
  });

  test("many concurrent aborts leave nothing behind", async () => {
    const manager = start(kind, kind === "thread" ? { maxWorkers: 2, abortGraceMs: 2_000 } : { abortGraceMs: 2_000 });
    const controllers = Array.from({ length: 60 }, () => new AbortController());
    const futures = controllers.map(({ signal }) =>
      manager.submitTask(tasks.heedsItsSignal(newGate()), { signal, ...quiet }),
    );
    await sleep(5);
    for (const controller of controllers) controller.abort();
    expect(new Set(await Promise.all(futures.map(outcome)))).toEqual(new Set(["TaskCancelledError"]));
    await eventually(
      async () => {
        const stats = await manager.stats();
        return ("pending" in stats ? stats.pending : stats.active + stats.queued) === 0;
      },
      `nothing to be left\n${formatManagerTree(await managerTree())}`,
    );
    expect(await manager.submitTask(tasks.echo("after"))).toBe("after");
    expect((await manager.stats()).replacements).toBe(0);
  });

  test("a listener on a long-lived signal is taken off when the task is done", async () => {
    const manager = start(kind);
    const controller = new AbortController();
    let listeners = 0;
    const { signal } = controller;
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
    Object.assign(signal, {
      addEventListener: (...args: Parameters<typeof add>) => {
        listeners += 1;
        add(...args);
      },
      removeEventListener: (...args: Parameters<typeof remove>) => {
        listeners -= 1;
        remove(...args);
      },
    });
    for (let i = 0; i < 20; i++) await manager.submitTask(tasks.echo(i), { signal });
    expect(listeners).toBe(0);
  });
});

test.each(kinds)("a task of a %s that has no time at all never begins, whoever submits it", async (kind) => {
  // Told as it happened: of a raw Worker, whose tasks go by way of the supervisor, a short one was often quicker.
  const manager = start(kind);
  const owner = startPool();
  const counter = newWords(1);
  const submit = tasks.submitsWithoutTime(kind, manager.id, counter);
  expect(await submit.run()).toEqual(["TaskTimeoutError"]);
  expect(await owner.submitTask(submit)).toEqual(["TaskTimeoutError"]);
  expect(await inRawWorker("submitsWithoutTime", kind, manager.id, counter)).toEqual(["TaskTimeoutError"]);
  expect(counter[0]).toBe(0);
});

test.each(kinds)(
  "in a %s: of two threads that settle a future, and do not know of each other, the first wins",
  async (kind) => {
    const manager = start(kind);
    const future = new SyncFuture<string>();
    const [begun, gate] = [newGate(), newGate()];
    const there = manager.submitTask(tasks.settlesAfter(begun, gate, future, "there"));
    await reached(begun); // it stands still, and hears nothing
    expect(future.setResult("here")).toBe(true);
    open(gate);
    expect(await there).toBe(false);
    expect(await future).toBe("here");
  },
);

test.each(kinds)(
  "in a %s: a future that is given something that cannot be cloned fails where it is not, with the path",
  async (kind) => {
    const [mine, theirs] = [new SyncFuture<unknown>(), new SyncFuture<unknown>()];
    const manager = start(kind);
    expect(await manager.submitTask(tasks.settlesUncloneably(mine))).toBe(true);
    await expect(mine).rejects.toMatchObject({ code: "DUCK_DATA_NOT_CLONEABLE", path: "result.deep.fn" });
    const waiting = manager.submitTask(tasks.awaitsFuture(theirs), quiet);
    theirs.setResult({ deep: { fn: () => 1 } });
    await expect(waiting).rejects.toMatchObject({ code: "DUCK_DATA_NOT_CLONEABLE", path: "result.deep.fn" });
  },
);

test.each(kinds)(
  "in a %s: a future that was settled before it was passed is settled there too, and comes home as itself",
  async (kind) => {
    const manager = start(kind);
    const future = new SyncFuture<string>();
    future.setResult("before");
    expect(await manager.submitTask(tasks.waitsForFuture(future))).toBe("before");
    const open = new SyncFuture<string>();
    const { home } = (await manager.submitTask(tasks.echo({ home: open }))) as { home: SyncFuture<string> };
    expect(home).toBe(open);
  },
);

test.each(kinds)("in a %s: a task whose future another thread settles holds nothing any more", async (kind) => {
  const manager = start(kind);
  const other = startLoop();
  const [begun, gate] = [newGate(), newGate()];
  const held = manager.submitTask(tasks.holds(begun, gate, "held"), quiet);
  await reached(begun);
  await other.submitTask(tasks.settles(held, "settled elsewhere"));
  expect(await held).toBe("settled elsewhere");
  expect([...openTasks()]).not.toContain(held);
  open(gate);
});

test("the words by which tasks sent to a thread can be taken back are dropped in time, also where running ones were cancelled", async () => {
  const pool = startPool();
  await pool.submitTask(tasks.nothing);
  await eventually(async () => (await pool.stats()).utilization === 0, "the thread to be free");
  const begun = newGate();
  const cancelled = pool.submitTask(tasks.heedsItsSignal(begun), quiet);
  const { claims } = cancelled.carrier as { readonly claims: { readonly size: number } };
  await reached(begun);
  cancelled.cancel();
  for (let last = cancelled; last.carriedAs !== 1023; ) {
    const burst = Array.from({ length: 1023 - last.carriedAs }, () => pool.submitTask(tasks.echo("")));
    await Promise.all(burst);
    last = burst.findLast(({ carrier }) => carrier === cancelled.carrier) ?? last;
  }
  expect(claims.size).toBe(0);
});
