/** The usage examples of seeds/000, 001 and 002, translated line by line in fixtures/seeds.mjs. */
import { getOrCreateLoopManager, getOrCreateThreadManager, UnknownTaskError } from "@duck-ts/managers";
import { expect, test } from "vitest";
import * as seeds from "./fixtures/seeds.mjs";
import { thrownBy, within } from "./support/gates.ts";
import { startPool } from "./support/managers.ts";

test("seeds/001: a worker resolves a loop, starts it, submits with a task type and blocks for the result", async () => {
  expect(await within(startPool().submitTask(seeds.worker), "the worker")).toBe("component");
});

test("seeds/002: a worker entry point starts a protected pool and blocks for the result", async () => {
  expect(await within(startPool().submitTask(seeds.workerEntrypoint), "the worker")).toBe("rendered");
});

test("seeds/000: the default pool takes only tasks labelled request-handling, in descendants too", async () => {
  await using pool = getOrCreateThreadManager().start({ maxWorkers: 2, taskType: "request-handling" });
  expect(thrownBy(() => pool.submitTask(seeds.someCallable))).toBeInstanceOf(UnknownTaskError);
  expect(await within(startPool().submitTask(seeds.someTaskEntry), "the entry")).toEqual({
    inherited: true,
    value: "rendered",
  });
});

test("seeds/001: loops of different ids are different loops, and one id gives one loop", () => {
  const [byDefault, io, job] = [
    getOrCreateLoopManager(),
    getOrCreateLoopManager({ id: "io" }),
    getOrCreateLoopManager({ id: "job-executor" }),
  ];
  expect(new Set([byDefault, io, job]).size).toBe(3);
  expect(getOrCreateLoopManager({ id: "io" })).toBe(io);
});
