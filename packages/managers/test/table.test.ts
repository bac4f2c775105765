/** The rows of BEHAVIOUR.md's table "Managers" that no other file of this folder has; see the list at the end. */
import { availableParallelism } from "node:os";
import { getOrCreateLoopManager, getOrCreateThreadManager } from "@duck-ts/managers";
import { setLogger } from "@duck-ts/runtime";
import { afterEach, expect, test } from "vitest";
import * as tasks from "./fixtures/tasks.mjs";
import { failure, newGate, outcome } from "./support/gates.ts";
import { freshId, quiet, startLoop, startPool } from "./support/managers.ts";

type Line = { readonly fields: Record<string, unknown>; readonly message: string };

function logged(): Line[] {
  const lines: Line[] = [];
  const take = (fields: unknown, message?: unknown): void =>
    void lines.push({ fields: fields as Record<string, unknown>, message: String(message) });
  setLogger({ debug: take, info: take, warn: take, error: take } as never);
  return lines;
}

afterEach(() => setLogger(undefined));

test("two threads that resolve the same id at the same moment each own theirs; one thread has exactly one", async () => {
  const id = freshId();
  const pool = startPool({ maxWorkers: 2 });
  const begun = newGate();
  const seen = await Promise.all([1, 2].map(() => pool.submitTask(tasks.resolvesTogether("loop", id, begun))));
  expect(new Set(seen.map(({ owner }) => owner)).size).toBe(2);
  for (const { owner, here, same } of seen) expect([owner, same]).toEqual([here, true]);
});

test("submitting at once after start() always works: fifty times each under load", async () => {
  const noise = startPool({ maxWorkers: 2 });
  const busy = Array.from({ length: 40 }, () => noise.submitTask(tasks.big(20_000)));
  const loop = getOrCreateLoopManager(freshId());
  for (let round = 0; round < 50; round++) {
    expect(await loop.start().submitTask(tasks.echo(round))).toBe(round);
    await loop.stop();
  }
  const pool = getOrCreateThreadManager(freshId());
  for (let round = 0; round < 50; round++) {
    expect(await pool.start({ maxWorkers: 1 }).submitTask(tasks.echo(round))).toBe(round);
    await pool.stop();
  }
  await Promise.all(busy);
}, 60_000);

test("an async function given to a pool is awaited", async () => {
  expect(await startPool().submitTask(tasks.echoAsync("value"))).toBe("value");
});

test("a task that throws in a pool is logged at warn with task, manager and thread, and thrown with the submitter's stack", async () => {
  const pool = startPool({ threadNamePrefix: "logged" });
  const lines = logged();
  const future = pool.submitTask(tasks.fails("on purpose"));
  const error = (await failure(future)) as Error;
  expect(error.stack).toContain("table.test.ts");
  expect(lines).toHaveLength(1);
  expect(lines[0]?.fields).toMatchObject({
    task: future.taskId,
    manager: pool.id,
    thread: "logged-1",
    err: { message: "on purpose" },
  });
});

test("logException: false silences it", async () => {
  const pool = startPool();
  const lines = logged();
  expect(await outcome(pool.submitTask(tasks.fails("on purpose"), quiet))).toBe("RangeError");
  expect(lines).toEqual([]);
});

test("forceCreate over an existing id warns", async () => {
  const id = freshId();
  getOrCreateLoopManager(id);
  const lines = logged();
  getOrCreateLoopManager({ id, forceCreate: true });
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatchObject({ fields: { id, kind: "loop" }, message: expect.stringContaining("replaced") });
});

test("a SyncFuture keeps its first outcome, and a cancelled one settles its waiters", async () => {
  const future = startLoop().submitTask(tasks.never(), quiet);
  expect([future.cancel(), future.setResult(1 as never), future.cancel()]).toEqual([true, false, false]);
  expect(await outcome(future)).toBe("TaskCancelledError");
});

test("more running managers than max(8, 2 x cores) are allowed", async () => {
  const many = Math.max(8, 2 * availableParallelism()) + 1;
  const loops = Array.from({ length: many }, () => startLoop());
  expect(await Promise.all(loops.map((loop, n) => loop.submitTask(tasks.echo(n))))).toEqual(
    Array.from({ length: many }, (_, n) => n),
  );
});

// The other rows: per-id look-up, owner of what is created, 0 and "", forceCreate, dead middle, foreign threads,
// all_instances, handles, "which one did I get": resolution.test.ts. start() twice, handles: submit-checks.test.ts.
// The owner ends, crashes, uncloneable results: faults.test.ts. daemon: process-exit.test.ts. stop(): stop.test.ts.
// Waiting on the own loop, nested waits: deadlocks.test.ts.
