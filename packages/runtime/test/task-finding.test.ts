import { type TaskRef, taskRefOf } from "@duck-ts/runtime/internal";
import { describe, expect, test } from "vitest";
import * as seenByVitest from "./fixtures/task-modules/jobs.mjs";
import { type Call, fixture, inWorker, refsOf } from "./fixtures/task-worker/in-worker.ts";

const at = (module: string, place: number, name = ""): TaskRef => ({
  url: fixture(`task-modules/${module}`).href,
  name,
  place,
  kind: "place",
});
const values = async (...calls: readonly Call[]): Promise<unknown[]> =>
  (await inWorker(...calls)).map(({ value, error }) => error?.message ?? value);

describe("a task declared at a module's top level is found in another thread", () => {
  test("as an arrow, a named function, a declared one, the default export, and without any export", async () => {
    const { arrow, named, declared, hiddenRef, fixed, default: byDefault } = seenByVitest;
    const refs = [arrow, named, declared, fixed, byDefault].map(taskRefOf);
    expect(await values(...[...refs, hiddenRef].map((ref) => [ref, "x"] as const))).toEqual([
      "arrow x",
      "X!",
      "jobs x",
      "fixed x",
      "default x",
      "hidden x",
    ]);
  });

  test("under the same reference, whether vitest or Node loaded the module that declares it", async () => {
    const { arrow, named, declared, fixed, generator, otherHash } = seenByVitest;
    const native = await refsOf(fixture("task-modules/jobs.mjs"));
    const inVitest = { arrow, named, declared, fixed, generator, otherHash, default: seenByVitest.default };
    expect(Object.fromEntries(Object.entries(inVitest).map(([key, task]) => [key, taskRefOf(task)]))).toEqual(native);
  });

  test("with two modules that hold functions of one name", async () => {
    expect(await values([taskRefOf(seenByVitest.declared), 1], [taskRefOf(seenByVitest.otherHash), 2])).toEqual([
      "jobs 1",
      "other 2",
    ]);
  });

  test("with a factory of another module that declares several at one place, and across a top-level await", async () => {
    const { products, sums, inStaticField } = await refsOf(fixture("task-modules/from-factory.mjs"));
    const calls = [...(products ?? []), ...(sums ?? []), inStaticField as TaskRef].map((ref) => [ref, 7] as const);
    expect(await values(...calls)).toEqual([14, 21, 35, 17, 27, "static 7"]);
  });

  test("in a CommonJS module that requires this library", async () => {
    const { shout, more } = await refsOf(fixture("task-modules/common.cjs"));
    const calls: Call[] = [[shout as TaskRef, "x"], ...(more ?? []).map((ref): Call => [ref, 1])];
    expect(await values(...calls)).toEqual(["X", 2, 3]);
  });

  test("by one import of its module, after which it is known", async () => {
    const answers = await inWorker(
      [at("jobs.mjs", 0), 1],
      [at("jobs.mjs", 1, "shout"), 2],
      [at("other-jobs.mjs", 0, "hash"), 3],
    );
    expect(answers.map(({ value, knownBefore }) => [value, knownBefore])).toEqual([
      ["arrow 1", false],
      ["2!", true],
      ["other 3", true],
    ]);
  });
});

describe("a thread that declared fewer tasks than the sender", () => {
  test("goes by the function's name where that is unique", async () => {
    const { unique, last } = await refsOf(fixture("task-modules/declares-more.mjs"));
    expect(unique).toMatchObject({ place: 1, name: "unique" });
    const [found, missing] = await inWorker([unique as TaskRef], [last as TaskRef]);
    expect(found).toMatchObject({ value: "unique" });
    expect(missing?.error).toMatchObject({
      name: "TaskNotFoundError",
      code: "DUCK_TASK_NOT_FOUND",
      taskId: `${last?.url}#4`,
      message: expect.stringMatching(/declared #0:unique, #1:twin, #2:twin, #3\. Declare the same tasks/),
    });
  });

  test("says so where several bear the name", async () => {
    const [answer] = await inWorker([at("conditional.mjs", 0, "twin")]);
    expect(answer?.error?.message).toMatch(/2 bear the name "twin": #0:unique, #1:twin, #2:twin, #3/);
  });
});

describe("a module that cannot be evaluated whole", () => {
  test("still gives the tasks it declared before it threw", async () => {
    const [before, after] = await inWorker([at("broken.mjs", 0, "before")], [at("broken.mjs", 1, "after")]);
    expect(before).toMatchObject({ value: "before the throw" });
    expect(after?.error).toMatchObject({ code: "DUCK_TASK_NOT_FOUND", cause: "the module broke" });
    expect(after?.error?.message).toMatch(/failed \(Error: the module broke\)\. Until then it had declared #0:before/);
  });

  test("is named with its reason where it is not there at all", async () => {
    const [answer] = await inWorker([at("missing.mjs", 0)]);
    expect(answer?.error).toMatchObject({
      code: "DUCK_TASK_NOT_FOUND",
      message: expect.stringMatching(/importing .*missing\.mjs failed \(.*Cannot find module/),
      cause: expect.stringMatching(/Cannot find module/),
    });
  });

  test("is waited for while its top level awaits, so that its tasks find its constants", async () => {
    const { early, late } = await refsOf(fixture("task-modules/half.mjs"));
    expect(await values([early as TaskRef], [late as TaskRef])).toEqual(["evaluated", "late"]);
  });
});
