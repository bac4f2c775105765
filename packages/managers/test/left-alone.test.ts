/** Futures that were given to tasks to be settled, and the tasks' threads have ended. */
import { SyncFuture, WorkerCrashedError } from "@duck-ts/runtime";
import { describe, expect, test } from "vitest";
import * as tasks from "./fixtures/tasks.mjs";
import { failure, within } from "./support/gates.ts";
import { kinds, quiet, start } from "./support/managers.ts";

describe.each(kinds)("a future that a task of a %s was to settle, which has ended with its thread", (kind) => {
  test("fails with the task's error for whoever awaits it", async () => {
    const manager = start(kind);
    const future = new SyncFuture<unknown>();
    const awaited = failure(future);
    const lost = await failure(manager.submitTask(tasks.exitsWith(future, 3), quiet));
    expect(lost).toBeInstanceOf(WorkerCrashedError);
    expect(await awaited).toBe(lost);
  });

  test("fails for whoever comes to await it later", async () => {
    const manager = start(kind);
    const future = new SyncFuture<unknown>();
    await failure(manager.submitTask(tasks.exitsWith(future, 3), quiet));
    await manager.submitTask(tasks.nothing);
    expect(future.done).toBe(false);
    expect(await failure(future)).toBeInstanceOf(WorkerCrashedError);
  });

  test("may be given to another task as soon as that is known", async () => {
    const manager = start(kind);
    const future = new SyncFuture<unknown>();
    const awaited = within(future, "the second task to settle it");
    const again = manager
      .submitTask(tasks.exitsWith(future, 3), quiet)
      .catch(() => manager.submitTask(tasks.settles(future, "by the second")));
    expect(await awaited).toBe("by the second");
    expect(await again).toBe(true);
  });

  test("may still be settled here, where nobody has awaited it yet", async () => {
    const manager = start(kind);
    const future = new SyncFuture<unknown>();
    await failure(manager.submitTask(tasks.exitsWith(future, 3), quiet));
    await manager.submitTask(tasks.nothing);
    expect(future.setResult("by hand")).toBe(true);
    expect(await future).toBe("by hand");
  });

  test("waits for a task that has it and is still to begin", async () => {
    const manager = start(kind);
    const future = new SyncFuture<unknown>();
    const awaited = within(future, "the queued task to settle it");
    await manager.submitTask(tasks.describesArgument(future)); // its thread has it from here on, and ends next
    const lost = manager.submitTask(tasks.exits(3), quiet);
    const queued = manager.submitTask(tasks.settles(future, "by the one behind"));
    await failure(lost);
    expect(await awaited).toBe("by the one behind");
    expect(await queued).toBe(true);
  });
});
