/**
 * Circles in which some threads stand still and some tasks merely await. Nobody but the awaiting task's own thread knows
 * whether it has other reasons to go on, so what looks like such a circle is an error only when that thread has none.
 */
import { DeadlockError } from "@duck-ts/runtime";
import { describe, expect, test } from "vitest";
import { blocksAlong, busyFor, type Step, wakesAfter } from "./fixtures/along.mjs";
import * as tasks from "./fixtures/tasks.mjs";
import { failure, within } from "./support/gates.ts";
import { quiet, startLoop, startPool } from "./support/managers.ts";

const block = (manager: { readonly id: string; readonly kind: Step["kind"] }, more: Partial<Step> = {}): Step => ({
  how: "block",
  kind: manager.kind,
  id: manager.id,
  ...more,
});
const awaiting = (manager: { readonly id: string; readonly kind: Step["kind"] }, more: Partial<Step> = {}): Step => ({
  ...block(manager, more),
  how: "await",
});
const end = (future: PromiseLike<string>): Promise<string> => within(future, "the near-circle to be resolved");

describe("a circle of threads that block and tasks that await is a DeadlockError that names it, and all go on:", () => {
  test("a pool's task blocks on a loop's task that awaits one of the full pool", async () => {
    // The story: the loop's thread turned, so it counted as able to answer, and all three waited for ever.
    const [pool, loop] = [startPool(), startLoop()];
    const error = (await failure(pool.submitTask(blocksAlong([block(loop), awaiting(pool)]), quiet))) as DeadlockError;
    expect(error).toBeInstanceOf(DeadlockError);
    expect(error.cycle).toHaveLength(2);
    expect(error.message).toContain(pool.id);
    expect(error.message).toContain(loop.id);
    expect(await Promise.all([pool.submitTask(tasks.echo(1)), loop.submitTask(tasks.echo(2))])).toEqual([1, 2]);
  });

  test("the same with all workers of a pool of two", async () => {
    const [pool, loop] = [startPool({ maxWorkers: 2 }), startLoop()];
    const both = [1, 2].map(() => failure(pool.submitTask(blocksAlong([block(loop), awaiting(pool)]), quiet)));
    // One of them gets the error; its worker then answers the other, or that is in the same place again.
    await expect(Promise.race(both)).resolves.toBeInstanceOf(DeadlockError);
    expect(await within(pool.submitTask(tasks.echo(1)), "the pool to go on")).toBe(1);
  });

  test("a pool blocks on a loop, which awaits another pool, which blocks on the first", async () => {
    const [a, b, loop] = [startPool(), startPool(), startLoop()];
    const steps = [block(loop), awaiting(b), block(a)];
    const outcome = await within(
      Promise.resolve(a.submitTask(blocksAlong(steps), quiet)).then(
        (value) => value,
        (error: Error) => error.name,
      ),
      "the circle of three to be broken",
    );
    // The victim is whoever blocked last, the task in the second pool; the loop's task goes on with its error.
    expect(outcome).toBe("DeadlockError");
    expect(await Promise.all([a, b, loop].map((manager) => manager.submitTask(tasks.echo(1))))).toEqual([1, 1, 1]);
  });

  test("a pool blocks on a loop, which awaits a pool, whose task awaits a second loop, which awaits the first pool", async () => {
    const [a, b, one, two] = [startPool(), startPool(), startLoop(), startLoop()];
    const steps = [block(one), awaiting(b), awaiting(two), awaiting(a)];
    const error = (await failure(a.submitTask(blocksAlong(steps), quiet))) as DeadlockError;
    expect(error).toBeInstanceOf(DeadlockError);
    expect(error.cycle).toHaveLength(4);
    expect(await Promise.all([a, b, one, two].map((manager) => manager.submitTask(tasks.echo(1))))).toEqual([
      1, 1, 1, 1,
    ]);
  });

  test("a task of the loop that waits for ever for nothing does not hide it", async () => {
    const [pool, loop] = [startPool(), startLoop()];
    void loop.submitTask(tasks.never(), quiet).catch(() => undefined);
    expect(await failure(pool.submitTask(blocksAlong([block(loop), awaiting(pool)]), quiet))).toBeInstanceOf(
      DeadlockError,
    );
  });
});

test("a neighbour that could still have broken the circle ends without having done so: then it is a deadlock", async () => {
  const [pool, other, loop] = [startPool(), startPool(), startLoop()];
  const neighbour = loop.submitTask(wakesAfter(other.id, 300));
  const stuck = failure(pool.submitTask(blocksAlong([block(loop), awaiting(pool)]), quiet));
  await neighbour;
  expect(await stuck).toBeInstanceOf(DeadlockError);
});

describe("what only looks like a circle ends as it should:", () => {
  test("another worker of the pool becomes free", async () => {
    const [pool, loop] = [startPool({ maxWorkers: 2 }), startLoop()];
    const busy = pool.submitTask(busyFor(400));
    expect(await end(pool.submitTask(blocksAlong([block(loop), awaiting(pool)])))).toBe("end");
    await busy;
  });

  test("the loop's task awaits a timer too", async () => {
    const [pool, loop] = [startPool(), startLoop()];
    expect(await end(pool.submitTask(blocksAlong([block(loop), awaiting(pool, { orAfterMs: 400 })])))).toBe(
      "the timer",
    );
  });

  test("another task of the loop, which awaits what will be answered, wakes the one that is waited for", async () => {
    const [pool, other, loop] = [startPool(), startPool(), startLoop()];
    const neighbour = loop.submitTask(wakesAfter(other.id, 400));
    expect(await end(pool.submitTask(blocksAlong([block(loop), awaiting(pool, { orWoken: true })])))).toBe("woken");
    await neighbour;
  });

  test("the queued task has a deadline: it is dropped, and the loop's task goes on with that error", async () => {
    const [pool, loop] = [startPool(), startLoop()];
    expect(await end(pool.submitTask(blocksAlong([block(loop), awaiting(pool, { timeoutMs: 400 })])))).toBe(
      "TaskTimeoutError",
    );
  });

  test("the blocked thread gives up by itself", async () => {
    const [pool, loop] = [startPool(), startLoop()];
    const future = pool.submitTask(blocksAlong([block(loop, { blockMs: 400 }), awaiting(pool)]), quiet);
    expect(await failure(future)).toMatchObject({ name: "FutureTimeoutError", timeoutMs: 400 });
  });

  test("nobody blocks: a pool's task awaits a loop's task that awaits the pool", async () => {
    const [pool, loop] = [startPool(), startLoop()];
    expect(
      await end(pool.submitTask(tasks.awaitsInTurn(4, ["thread", "loop"], [pool.id, loop.id])) as PromiseLike<string>),
    ).toBeTypeOf("string");
  });
});
