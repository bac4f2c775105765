import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { task, taskRefOf } from "@duck-ts/runtime/internal";
import { expect, test } from "vitest";
import * as jobs from "./fixtures/task-typescript/jobs.ts";
import * as withoutType from "./fixtures/task-typescript-commonjs/tasks.ts";
import { type Call, fixture, fixturePath, inWorker } from "./fixtures/task-worker/in-worker.ts";

interface Point {
  readonly x: number;
}
// @ts-expect-error this repository does without enums, its users may not
enum Axis {
  X = "x",
}
const declaredInThisTest = task((point: Point): string => `${Axis.X} = ${point.x}`);

test("tasks of a TypeScript module run in a thread without a build, with enums and any style of import", async () => {
  const { kind, doubles, hiddenRef } = jobs;
  const calls: Call[] = [
    [taskRefOf(kind), { size: 11 }],
    ...doubles.map((one): Call => [taskRefOf(one), 4]),
    [hiddenRef, "x"],
  ];
  const answers = await inWorker(...calls);
  expect(answers.map(({ value, error }) => error?.message ?? value)).toEqual(["large", 8, 16, ["x"]]);
});

test("the paths of the nearest tsconfig.json hold there too", async () => {
  const url = fixture("task-typescript/with-paths.ts").href;
  const [answer] = await inWorker([{ url, name: "", place: 0, kind: "place" }]);
  expect(answer?.error?.message ?? answer?.value).toBe("large of 10");
});

test("their errors show the lines that were written", async () => {
  const [answer] = await inWorker([taskRefOf(jobs.fails)]);
  expect(answer?.error?.stack).toMatch(/jobs\.ts:18:\d+/);
});

test("a task declared in a vitest test file is found by a thread that vitest knows nothing of", async () => {
  const [answer] = await inWorker([taskRefOf(declaredInThisTest), { x: 3 }]);
  expect(answer?.error?.message ?? answer?.value).toBe("x = 3");
});

test("a package without type: module may have TypeScript tasks, a top-level await among them", async () => {
  const [answer] = await inWorker([taskRefOf(withoutType.shout), "loud"]);
  expect(answer?.error?.message ?? answer?.value).toBe("LOUD");
});

test("a .js url finds the .ts file that is there", async () => {
  const url = fixture("task-typescript/lib/double.js").href;
  const [answer] = await inWorker([{ url, name: "double", place: -1, kind: "export" }, 21]);
  expect(answer?.error?.message ?? answer?.value).toBe(42);
});

test("a thread loads TypeScript while its parent is blocked from its first instant", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [fixturePath("task-typescript/blocked-parent.mjs")]);
  expect(stdout.trim()).toBe("large");
});
