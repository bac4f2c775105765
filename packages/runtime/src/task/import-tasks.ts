import { inspect } from "node:util";
import { findTask } from "./find-task.ts";
import { makeTask } from "./known-tasks.ts";
import { givenUrl } from "./module-url.ts";
import type { Task } from "./task.ts";
import type { TaskFunction, TaskRef } from "./task-ref.ts";

/** The functions among a module's exports, each as a task; tasks stay as they are, all else is left out. */
export type ImportedTasks<M> = {
  // biome-ignore lint/suspicious/noExplicitAny: any function; its own types come through below.
  readonly [K in keyof M as M[K] extends (...args: any) => unknown ? K : never]: AsTask<M[K]>;
};

type AsTask<F> =
  F extends Task<infer A, infer R> ? Task<A, R> : F extends (...args: infer A) => infer R ? Task<A, Awaited<R>> : never;

/**
 * Every exported function of an existing module, as a task: `importTasks<typeof import("./jobs.ts")>(new URL(
 * "./jobs.ts", import.meta.url)).resize(image)`. The module is not imported here, but by the thread that runs a task;
 * a name that it does not export is a {@link TaskNotFoundError} of that run.
 *
 * Any thread may call it, anywhere; it never blocks.
 *
 * @throws TaskDeclarationError where the url is relative or a bare specifier.
 */
export function importTasks<M>(url: string | URL): ImportedTasks<M> {
  const from = givenUrl(url, "importTasks()");
  const tasks = new Map<string, Task<unknown[], unknown>>();
  const target = { [inspect.custom]: () => `ImportedTasks(${from})` };
  return new Proxy(target, {
    get(_target, key) {
      // `then` would make `await importTasks(...)` call it, toJSON would make JSON.stringify do so.
      if (typeof key === "symbol" || key === "then" || key === "toJSON" || key in target)
        return Reflect.get(target, key);
      let task = tasks.get(key);
      if (task === undefined) {
        task = taskFromRef({ url: from, name: key, place: -1, kind: "export" });
        tasks.set(key, task);
      }
      return task;
    },
    set: () => false,
  }) as unknown as ImportedTasks<M>;
}

/** A task by its reference; the thread that runs it imports its module first, if it has not. */
export function taskFromRef(ref: TaskRef): Task<unknown[], unknown> {
  const run: TaskFunction = (...args) => {
    const fn = findTask(ref);
    return fn instanceof Promise ? fn.then((loaded) => loaded(...args)) : fn(...args);
  };
  return makeTask(ref, run);
}
