/** A thread that blocks for each answer and never comes to its event loop: nothing piles up there. */
import { expect, test, vi } from "vitest";
import * as tasks from "./fixtures/tasks.mjs";
import { kinds, start } from "./support/managers.ts";

test.each(kinds)(
  "a %s: a hundred blocking calls leave no more behind for the end of the turn than one",
  async (kind) => {
    const manager = start(kind);
    await manager.submitTask(tasks.nothing);
    const later = vi.spyOn(globalThis, "queueMicrotask");
    try {
      for (let call = 0; call < 100; call++) expect(manager.submitTask(tasks.echo(call)).result()).toBe(call);
      expect(later.mock.calls.length).toBeLessThanOrEqual(4);
    } finally {
      later.mockRestore();
    }
  },
);

test.each(kinds)(
  "a %s: what a task leaves to its microtasks is done before the next blocking call's task begins",
  async (kind) => {
    const manager = start(kind);
    await manager.submitTask(tasks.nothing);
    for (let call = 0; call < 500; call++) {
      manager.submitTask(tasks.endsTwice).result();
      expect(manager.submitTask(tasks.leftToEnd).result()).toBe(0);
    }
  },
);
