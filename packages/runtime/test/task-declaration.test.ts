import { inspect } from "node:util";
import { runInThisContext } from "node:vm";
import {
  declareTask,
  isTask,
  isTaskCall,
  NotATaskError,
  type Task,
  TaskDeclarationError,
  task,
  taskFunction,
  taskRefOf,
  toTaskCall,
} from "@duck-ts/runtime/internal";
import { describe, expect, test } from "vitest";
import { fixture, inWorker, refsOf } from "./fixtures/task-worker/in-worker.ts";

const here = import.meta.url;
const hash = task(function hash(text: string) {
  return `hashed ${text}`;
});
const anonymous = task(async (x: number) => x + 1);
const pair = [1, 2].map((n) => declareTask((x: number) => x * n));
const called = task(() => "called without arguments");

/** What the function throws, or fails the test. */
function thrownBy(run: () => unknown): Error {
  try {
    run();
  } catch (error) {
    return error as Error;
  }
  throw new Error("nothing was thrown");
}

describe("a declared task", () => {
  test("has an id that says where it stands and what its function is called", () => {
    expect(hash.id).toBe(`${here}#0:hash`);
    expect(hash.name).toBe("hash");
    expect(anonymous.id).toBe(`${here}#1`);
    expect(pair.map(({ id }) => id)).toEqual([`${here}#2`, `${here}#3`]);
    expect(taskRefOf(hash)).toEqual({ url: here, name: "hash", place: 0, kind: "place" });
  });

  test("makes a call that has not run, holds its arguments, and runs here when it is told to", async () => {
    const call = hash("x");
    expect(isTaskCall(call)).toBe(true);
    expect(call.task).toBe(hash);
    expect(call.args).toEqual(["x"]);
    expect(call.run()).toBe("hashed x");
    expect(await anonymous(1).run()).toBe(2);
    expect(inspect(call)).toBe(`TaskCall ${here}#0:hash('x')`);
  });

  test("is told apart from everything else", () => {
    expect([hash, () => {}, hash("x"), null, {}].map((value) => isTask(value))).toEqual([
      true,
      false,
      false,
      false,
      false,
    ]);
    expect([hash("x"), hash, { task: hash, args: [] }, null].map(isTaskCall)).toEqual([true, false, false, false]);
    expect(taskFunction(hash)("y")).toBe("hashed y");
  });

  test("leaves Error's own settings as they were", () => {
    const { stackTraceLimit, prepareStackTrace } = Error;
    thrownBy(() => task(() => {}));
    expect(Error.stackTraceLimit).toBe(stackTraceLimit);
    expect(Error.prepareStackTrace).toBe(prepareStackTrace);
  });
});

describe("a declaration that no other thread could find", () => {
  test("inside a function says where it was and what to do instead", async () => {
    const { makeTask } = await import("./fixtures/task-modules/inside-functions.mjs");
    const error = thrownBy(makeTask);
    expect(error).toBeInstanceOf(TaskDeclarationError);
    expect(error).toMatchObject({ code: "DUCK_TASK_DECLARATION" });
    expect(error.message).toMatch(
      /^task\(inner\) was called inside the function makeTask \(.*inside-functions\.mjs:\d+/,
    );
    expect(error.message).toMatch(/top level of a module and pass what varies as arguments/);
  });

  test("is told where the caller of a function that declares on its behalf called it", () => {
    const declaring = (fn: () => void) => declareTask(fn, {}, declaring);
    expect(() => declaring(function job() {})).toThrow(
      /^declaring\(job\) was called inside a function \(.*task-declaration\.test\.ts:/,
    );
  });

  test("in what a function does after its first await is one inside a function", async () => {
    const { afterAwait } = await import("./fixtures/task-modules/inside-functions.mjs");
    await expect(afterAwait()).rejects.toThrow(/was called inside the function afterAwait/);
  });

  test("may stand in a function where url and name say what to look for", async () => {
    const { makeFindableTask } = await import("./fixtures/task-modules/inside-functions.mjs");
    const url = fixture("task-modules/inside-functions.mjs");
    const made = [makeFindableTask(url), makeFindableTask(url.href)];
    expect(made.map(({ id }) => id)).toEqual([`${url}#findable`, `${url}#findable`]);
    const [answer] = await inWorker([taskRefOf(made[0] as Task<[], unknown>), 7]);
    expect(answer).toMatchObject({ value: "findable 7" });
  });

  test("with a url that another thread would resolve otherwise is refused", () => {
    const error = thrownBy(() => task(() => {}, { url: "./jobs.mjs", name: "x" }));
    expect(error).toBeInstanceOf(TaskDeclarationError);
    expect(error.message).toMatch(/new URL\("\.\/jobs\.mjs", import\.meta\.url\)/);
  });

  test("under a name that its module has given already is refused at once", async () => {
    const declared = refsOf(fixture("task-modules/same-names.mjs"));
    await expect(declared).rejects.toMatchObject({
      code: "DUCK_TASK_DECLARATION",
      message: expect.stringMatching(/Two tasks of .*same-names\.mjs have the name "same" \(declared at 3:1 and 4:1\)/),
    });
  });

  test("in code that has no file is refused", async () => {
    const source = 'import { task } from "file:///RUNTIME"; task(() => {});';
    const runtime = import.meta.resolve("@duck-ts/runtime/internal");
    const url = `data:text/javascript,${encodeURIComponent(source.replace("file:///RUNTIME", runtime))}`;
    await expect(refsOf(url)).rejects.toThrow(/no other thread can import \(data:text.*Put it in a file/s);
    const inEval = runInThisContext("(declare) => { declare(() => {}); }", { filename: "[eval]" });
    expect(() => inEval(task)).toThrow(TaskDeclarationError);
  });
});

describe("what is no function to make a task of", () => {
  test.each([
    ["a string", "hash", TypeError, /expected a function, got string/],
    ["nothing", undefined, TypeError, /expected a function, got undefined/],
    ["null", null, TypeError, /got null/],
    ["a class", class Job {}, TaskDeclarationError, /given the class Job.*not called but constructed/],
    ["a bound function", hash.bind(null), TaskDeclarationError, /the bound function bound hash.*function around it/],
    ["a native function", Math.max, TaskDeclarationError, /the native function max/],
    ["a task", hash, TaskDeclarationError, /is a task already/],
  ])("%s is refused", (_what, value, type, message) => {
    const error = thrownBy(() => task(value as () => void));
    expect(error).toBeInstanceOf(type);
    expect(error.message).toMatch(message);
  });
});

describe("what is submitted", () => {
  test("is a call, or a task that is called without arguments", () => {
    const call = hash("x");
    expect(toTaskCall(call)).toBe(call);
    expect(toTaskCall(called).run()).toBe("called without arguments");
    expect(toTaskCall(hash).args).toEqual([]);
  });

  test.each([
    [
      "a closure",
      () => here,
      /got a function, which closes over this thread.*Declare it with task\(\) at the top level/,
    ],
    ["a function", function send() {}, /got the function send,.*const sendTask = task\(send\)/],
    ["a promise", Promise.resolve(), /got a promise: the function was called already/],
    ["a generator", (function* () {})(), /got a generator: the function was called already/],
    ["nothing", undefined, /got undefined\. Declare/],
    ["a string", "hash", /got the string "hash"/],
    ["an array", [hash], /got an array/],
    ["an object", { task: hash }, /got an object/],
    ["an instance", new Map(), /got an instance of Map/],
  ])("is refused with advice where it is %s", (_what, value, message) => {
    const error = thrownBy(() => toTaskCall(value));
    expect(error).toBeInstanceOf(NotATaskError);
    expect(error).toMatchObject({ code: "DUCK_NOT_A_TASK", message: expect.stringMatching(message) });
  });
});
