import { inspect } from "node:util";
import { keepShape } from "../thread/kept-shapes.ts";
import type { TaskCall } from "./task.ts";
import type { TaskFunction } from "./task-ref.ts";

/** Marks the calls made by any copy of this library in the thread. */
const brand = Symbol.for("@duck-ts/runtime:task-call");

class Call<R> implements TaskCall<R> {
  readonly task: TaskCall<R>["task"];
  readonly args: readonly unknown[];
  readonly #fn: TaskFunction;

  constructor(task: TaskCall<R>["task"], fn: TaskFunction, args: readonly unknown[]) {
    this.task = task;
    this.args = args;
    this.#fn = fn;
  }

  get [brand](): true {
    return true;
  }

  run(): R | Promise<R> {
    const run = this.#fn;
    return run(...this.args) as R | Promise<R>;
  }

  toString(): string {
    return `TaskCall ${this.task.id}`;
  }

  [inspect.custom](_depth: number, options: object): string {
    const args = this.args.map((arg) => inspect(arg, options)).join(", ");
    return `TaskCall ${this.task.id}(${args})`;
  }
}

keepShape(new Call({} as never, () => undefined, []));

export function makeCall<R>(task: TaskCall<R>["task"], fn: TaskFunction, args: readonly unknown[]): TaskCall<R> {
  return new Call(task, fn, args);
}

/** Whether the value is a call of a task, whichever copy of this library made it. */
export function isTaskCall(value: unknown): value is TaskCall<unknown> {
  return typeof value === "object" && value !== null && brand in value;
}
