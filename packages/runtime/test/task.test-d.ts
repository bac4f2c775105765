import { importTasks, type Task, type TaskCall, task, toTaskCall } from "@duck-ts/runtime/internal";
import { expectTypeOf } from "vitest";

const add = task((a: number, b?: number): number => a + (b ?? 1));
expectTypeOf(add).toEqualTypeOf<Task<[a: number, b?: number], number>>();
expectTypeOf(add(1)).toEqualTypeOf<TaskCall<number>>();
expectTypeOf(add(1).run()).toEqualTypeOf<number | Promise<number>>();
expectTypeOf(add.id).toEqualTypeOf<string>();
expectTypeOf(add.name).toEqualTypeOf<string>();
// @ts-expect-error the arguments are the function's
add("1");

// What an async function returns is awaited before anyone sees it.
expectTypeOf(task(async (x: string) => [x])).toEqualTypeOf<Task<[x: string], string[]>>();
expectTypeOf(task(() => {}, { url: new URL("file:///x.mjs"), name: "x" })).toEqualTypeOf<Task<[], void>>();
expectTypeOf(toTaskCall(add(1))).toEqualTypeOf<TaskCall<unknown>>();
// @ts-expect-error a task is made of a function
task(1);

interface Jobs {
  resize(image: Uint8Array, width: number): Promise<Uint8Array>;
  add: (a: number, b: number) => number;
  already: Task<[x: string], boolean>;
  version: string;
  Shape: new () => object;
  default: () => void;
}
const jobs = importTasks<Jobs>(new URL("file:///jobs.mjs"));
expectTypeOf(jobs.resize).toEqualTypeOf<Task<[image: Uint8Array, width: number], Uint8Array>>();
expectTypeOf(jobs.add).toEqualTypeOf<Task<[a: number, b: number], number>>();
expectTypeOf(jobs.already).toEqualTypeOf<Task<[x: string], boolean>>();
expectTypeOf(jobs.default).toEqualTypeOf<Task<[], void>>();
// Only functions can be tasks.
expectTypeOf<keyof typeof jobs>().toEqualTypeOf<"resize" | "add" | "already" | "default">();

// Any task fits where any task is wanted, and a call of it is typed by its result.
expectTypeOf(add).toExtend<Task<never[], unknown>>();
expectTypeOf(add(1)).toExtend<TaskCall<unknown>>();
