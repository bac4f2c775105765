/** Failures that nobody looks at, where more than one thread could: each is logged once, and none that somebody handles. */
import { SyncFuture, setLogger } from "@duck-ts/runtime";
import { expect, onTestFinished, test } from "vitest";
import * as tasks from "./fixtures/tasks.mjs";
import { eventually, failure } from "./support/gates.ts";
import { kinds, quiet, start, startLoop, startPool } from "./support/managers.ts";

function warnings(): string[] {
  const said: string[] = [];
  const warn = (about: { err: Error }, what: string): number => said.push(`${what}: ${about.err.message}`);
  setLogger({ warn, error() {}, info() {}, debug() {} } as never);
  onTestFinished(() => setLogger(undefined));
  return said;
}

const someTime = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1_200));

// The story: the thread that let it fail looked at it only itself, and logged what another one was blocked on.
test.each(kinds)("a future that a task of a %s blocks on is looked at there", async (kind) => {
  const said = warnings();
  const future = new SyncFuture<unknown>();
  const waiting = start(kind).submitTask(tasks.waitsForFuture(future), quiet);
  future.setException(new Error("looked at elsewhere"));
  expect(await failure(waiting)).toMatchObject({ message: "looked at elsewhere" });
  await someTime();
  expect(said).toEqual([]);
});

test("so is one that has failed in the moment before it was given to that task", async () => {
  const said = warnings();
  const future = new SyncFuture<unknown>();
  future.setException(new Error("looked at elsewhere"));
  expect(await failure(startPool().submitTask(tasks.waitsForFuture(future), quiet))).toBeInstanceOf(Error);
  await someTime();
  expect(said).toEqual([]);
});

test("so is a loop's task whose future a pool's task blocks on", async () => {
  const said = warnings();
  const failing = startLoop().submitTask(tasks.failsAsync("looked at elsewhere"));
  const waiting = startPool().submitTask(tasks.waitsForFuture(failing), quiet);
  expect(await failure(waiting)).toMatchObject({ message: "looked at elsewhere" });
  await someTime();
  expect(said).toEqual([]);
});

test("a future that is given to another thread, where nobody looks at it either, is logged once", async () => {
  const said = warnings();
  const future = new SyncFuture<unknown>();
  await startPool().submitTask(tasks.describesArgument(future));
  future.setException(new Error("lost"));
  await eventually(() => said.length > 0, "the warning");
  await someTime();
  expect(said).toEqual(["a future failed and nobody awaited it, blocked on it or handled it: lost"]);
});
