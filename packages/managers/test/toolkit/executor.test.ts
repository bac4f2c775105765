/** ThreadPoolExecutor and entrypoint(): pools of one's own, and the current one. */
import { ManagerNotRunning, managerTree, ThreadPoolExecutor } from "@duck-ts/managers";
import { describe, expect, onTestFinished, test } from "vitest";
import { eventually, failure, newGate, newWords, open, outcome, reached, thrownBy, within } from "../support/gates.ts";
import * as bodies from "./fixtures/bodies.mjs";
import { runScript } from "./support/scripts.ts";
import { leavesNoThread } from "./support/threads.ts";

leavesNoThread();

const quiet = { logException: false } as const;

describe("a ThreadPoolExecutor", () => {
  test("runs at most poolSize tasks at one time", async () => {
    const executor = new ThreadPoolExecutor(3);
    onTestFinished(async () => void (await executor.shutdown()));
    const arrived = newWords(1);
    const meet = bodies.meets.pooled.with({ executor });
    expect(await within(Promise.all([1, 2, 3].map(() => meet(arrived, 3))), "three to meet")).toEqual([
      true,
      true,
      true,
    ]);
    expect(executor.statistics.threads).toBe(3);
  });

  test("counts what it has done", async () => {
    const executor = new ThreadPoolExecutor(2);
    onTestFinished(async () => void (await executor.shutdown()));
    expect(executor.statistics).toEqual({ threads: 0, submitted: 0, done: 0, success: 0, error: 0, sumTimeMs: 0 });
    await Promise.all([1, 2, 3].map((n) => executor.submit(bodies.echo.pooled.call(n))));
    await failure(executor.submit(bodies.fails.pooled.call(1), quiet));
    await executor.submit(bodies.takesAWhile(50));
    const { threads, sumTimeMs, ...counts } = executor.statistics;
    expect(counts).toEqual({ submitted: 5, done: 5, success: 4, error: 1 });
    expect(threads).toBeGreaterThan(0);
    expect(sumTimeMs).toBeGreaterThan(0);
  });

  test("says of a threaded function itself that it takes a call of it", () => {
    const executor = new ThreadPoolExecutor(1);
    onTestFinished(async () => void (await executor.shutdown()));
    expect(() => executor.submit(bodies.echo.pooled as never)).toThrow(
      /threaded function \w+ itself.* \w+\.call\(\.\.\.\)/,
    );
  });

  test("after shutdown() has nothing pending, takes nothing, and is forgotten", async () => {
    const executor = new ThreadPoolExecutor(1);
    const futures = Array.from({ length: 20 }, (_, n) => executor.submit(bodies.echo.pooled.call(n)));
    await executor.shutdown();
    expect(futures.every(({ done }) => done)).toBe(true);
    expect(await futures[19]).toBe(19);
    const refused = thrownBy(() => executor.submit(bodies.echo.pooled.call(1))) as ManagerNotRunning;
    expect(refused).toBeInstanceOf(ManagerNotRunning);
    expect(refused.message).toMatch(/is not running: it was shut down. Make a new ThreadPoolExecutor./);
    await executor.shutdown();
    const tree = await managerTree();
    expect(tree.managers.map(({ id }) => id)).not.toContain(executor.manager.id);
  });

  test("shutdown({ wait: false }) cancels what is queued; timeoutMs ends what runs", async () => {
    const executor = new ThreadPoolExecutor(1);
    const begun = newGate();
    const running = executor.submit(bodies.spins.pooled.call(begun), quiet);
    await reached(begun);
    const queued = executor.submit(bodies.echo.pooled.call(1), quiet);
    const report = await within(executor.shutdown({ wait: false, timeoutMs: 100 }), "shutdown()");
    expect(report).toMatchObject({ cancelled: 1, terminated: 1 });
    expect(await outcome(queued)).toBe("TaskCancelledError");
    expect(await outcome(running)).toBe("WorkerCrashedError");
  });

  test("refuses a size that is none, and leaves nothing behind then", async () => {
    for (const size of [0, -1, 1.5, 5000]) expect(() => new ThreadPoolExecutor(size)).toThrow(RangeError);
    expect(() => new ThreadPoolExecutor("4" as never)).toThrow(TypeError);
    expect(
      (await managerTree()).managers
        .filter(({ id }) => String(id).startsWith("executor-") && id !== undefined)
        .every(({ state }) => state !== "unstarted"),
    ).toBe(true);
  });

  test("ends with an await using block", async () => {
    let used: ThreadPoolExecutor;
    {
      await using executor = new ThreadPoolExecutor(1);
      used = executor;
      expect(await executor.submit(bodies.echo.pooled.call(1))).toBe(1);
    }
    expect(used.manager.state).toBe("stopped");
  });

  test("keeps its queue while its threads are busy", async () => {
    const executor = new ThreadPoolExecutor(1);
    onTestFinished(async () => void (await executor.shutdown()));
    const [begun, gate] = [newGate(), newGate()];
    const held = executor.submit(bodies.holds.pooled.call(begun, gate));
    await reached(begun);
    const second = executor.submit(bodies.echo.pooled.call(2));
    await eventually(() => executor.manager.getPool().queued === 1, "one to be queued");
    open(gate);
    expect(await Promise.all([held, second])).toEqual(["held", 2]);
  });
});

test("an executor or a signal among a task's arguments is refused, with its path and what to do instead", async () => {
  // Told as it happened: structured clone makes {} of both, and the task found out.
  const executor = new ThreadPoolExecutor(1);
  onTestFinished(async () => void (await executor.shutdown()));
  const echo = bodies.echo.pooled.with({ executor, ...quiet });
  expect(await failure(echo({ with: [executor] }))).toMatchObject({
    code: "DUCK_DATA_NOT_CLONEABLE",
    path: "args[0].with[0]",
    found: "a ThreadPoolExecutor",
    message: expect.stringMatching(/Pass its manager \(executor\.manager\)/),
  });
  expect(await failure(echo(new AbortController().signal))).toMatchObject({
    code: "DUCK_DATA_NOT_CLONEABLE",
    path: "args[0]",
    message: expect.stringMatching(/options\.signal .* taskSignal\(\)/),
  });
  expect(await echo(executor.manager)).toBe(executor.manager);
});

describe("an entrypoint", () => {
  test("sets the size of the current pool for what runs inside it, nested calls too, and leaves no thread", async () => {
    const { stdout } = await runScript("entrypoint.mjs");
    expect(stdout.split("\n").filter(Boolean)).toEqual([
      "inside 2 of pool duck:entrypoint",
      "nested in duck:entrypoint",
      "in a worker: EntrypointNotAllowed",
      "a second one: EntrypointNotAllowed",
      "result 42",
      "left main,supervisor",
      "outside duck:threaded",
      "again 1 of pool duck:entrypoint",
      "failed: main failed",
      "ended",
    ]);
  });

  test("does not wait for an iterable that nobody reads any more: it is closed, and its finally runs", async () => {
    // The story: the body waited for room in a full buffer until the pool's time was over, and was then terminated.
    const { entrypoint } = await import("@duck-ts/managers");
    const made = new Int32Array(new SharedArrayBuffer(8));
    const app = entrypoint({ poolSize: 1 });
    const numbers = bodies.countsBegun(made, newGate());
    await numbers.next();
    await within(app.close(), "the end of the entrypoint", 7_000);
    expect(made[1]).toBe(1);
    await expect(numbers.next()).rejects.toThrow(/its entrypoint closes, and nobody read it/);
    expect(await numbers.next()).toEqual({ done: true, value: undefined });
  });

  test("does not wait for a thread that waits for room in a channel which nobody reads: its put() throws", async () => {
    // The story: put() blocked until the pool's ten seconds were over, and its thread was then terminated.
    const { entrypoint, ChannelClosed, FromThreadChannel } = await import("@duck-ts/managers");
    const executor = new ThreadPoolExecutor(1);
    onTestFinished(async () => void (await executor.shutdown()));
    const [unread, others] = [
      new FromThreadChannel<[unknown, number]>({ maxSize: 2 }),
      new FromThreadChannel<[unknown, number]>({ maxSize: 2 }),
    ];
    const app = entrypoint({ poolSize: 1 });
    const producer = bodies.puts.pooled.with(quiet)(unread, "here", 5);
    const elsewhere = bodies.puts.pooled.with({ executor })(others, "elsewhere", 5);
    expect([await unread.get(), await others.get()]).toEqual([
      ["here", 0],
      ["elsewhere", 0],
    ]);
    await within(app.close(), "the end of the entrypoint", 7_000);
    expect(await failure(producer)).toBeInstanceOf(ChannelClosed);
    // What is in it can still be taken, and a channel of another pool's threads is left alone.
    expect([await unread.get(), await unread.get()]).toEqual([
      ["here", 1],
      ["here", 2],
    ]);
    expect(await failure(unread.get())).toBeInstanceOf(ChannelClosed);
    expect(others.closed).toBe(false);
    for (let i = 1; i < 5; i++) expect(await others.get()).toEqual(["elsewhere", i]);
    expect(await elsewhere).toBe(5);
    others.close();
  });

  test("refuses a size that is none", async () => {
    const { entrypoint } = await import("@duck-ts/managers");
    expect(() => entrypoint({ poolSize: 0 })).toThrow(RangeError);
    expect(() => entrypoint({ size: 2 } as never)).toThrow(/no option "size"/);
    const app = entrypoint({ poolSize: 1 }); // the failures above did not leave one open
    await app.close();
  });
});
