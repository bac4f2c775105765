import { importTasks, isTask, taskRefOf } from "@duck-ts/runtime/internal";
import { expect, test } from "vitest";
import { fixture, inWorker } from "./fixtures/task-worker/in-worker.ts";

const url = fixture("task-modules/old-module.mjs");
const old = importTasks<typeof import("./fixtures/task-modules/old-module.mjs")>(url);

test("every exported function of an existing module is a task, found by its name", async () => {
  expect(isTask(old.add)).toBe(true);
  expect(old.add).toBe(old.add);
  expect(old.add.id).toBe(`${url}#add`);
  const calls = [
    [taskRefOf(old.add), 2, 3],
    [taskRefOf(old.later), 4],
    [taskRefOf(old.already), 5],
    [taskRefOf(old.default), 6],
  ] as const;
  const answers = await inWorker(...calls);
  expect(answers.map(({ value }) => value)).toEqual([5, [4], "already 5", { x: 6 }]);
});

test("an imported task runs here too, at once when its module is loaded", async () => {
  expect(await old.add(2, 3).run()).toBe(5);
  expect(old.add(2, 3).run()).toBe(5);
});

test("a name that the module does not export as a function is told with those that it does", async () => {
  const unknown = importTasks<{ gone(): void; version(): void }>(url);
  for (const missing of [unknown.gone, unknown.version]) {
    const [answer] = await inWorker([taskRefOf(missing)]);
    expect(answer?.error).toMatchObject({ code: "DUCK_TASK_NOT_FOUND" });
    expect(answer?.error?.message).toMatch(
      /exports no function of that name\. Its functions: NotATask, add, already, default, later/,
    );
  }
});

test("the collection itself can be awaited, printed and turned into JSON without becoming a task", async () => {
  expect(await old).toBe(old);
  expect(String(old)).toBe("[object Object]");
  expect(JSON.stringify(old)).toBe("{}");
});

test("a relative url or a bare specifier is refused with what to write instead", () => {
  expect(() => importTasks("./old-module.mjs")).toThrow(
    /importTasks\(\) was given the url "\.\/old-module\.mjs".*import\.meta\.url/,
  );
  expect(() => importTasks("lodash")).toThrow(/import\.meta\.resolve\("lodash"\)/);
});
