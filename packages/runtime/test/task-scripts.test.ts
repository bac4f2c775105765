import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { isImportingTasks, type TaskRef } from "@duck-ts/runtime/internal";
import { expect, test } from "vitest";
import { fixture, fixturePath, inWorker, inWorkerWith } from "./fixtures/task-worker/in-worker.ts";

const first = (script: string, name = ""): TaskRef => ({
  url: fixture(`task-scripts/${script}`).href,
  name,
  place: 0,
  kind: "place",
});

test("a program in one file, evaluated again in its worker, stops where it learns that it is imported", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [fixturePath("task-scripts/script.mjs")]);
  expect(stdout.trim().split("\n").sort()).toEqual([
    "answer: 144, importing: false",
    "evaluated, importing: false",
    "evaluated, importing: true",
  ]);
});

test("what a script began without awaiting it still belongs to the import; its tasks do not", async () => {
  const [answer] = await inWorker([first("unawaited.mjs", "report")]);
  expect(answer).toMatchObject({ value: true, importing: false });
});

test("what a module with exports began is its own affair once the import is done", async () => {
  const [answer] = await inWorker([first("library.mjs")]);
  expect(answer).toMatchObject({ value: [true, true, false] });
});

test("a top level that waits for ever holds its tasks up for ten seconds, not for ever", async () => {
  const [answer] = await inWorkerWith({ hurry: true }, [first("waits-for-ever.mjs", "early")]);
  expect(answer).toMatchObject({ value: "early" });
});

test("nothing is being imported in a thread that was not asked for a task", () => {
  expect(isImportingTasks()).toBe(false);
});
