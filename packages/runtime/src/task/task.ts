import { TaskDeclarationError } from "../errors.ts";
import { type DeclarationSite, declarationSite } from "./declaration-site.ts";
import { declareAtPlace, declareNamed } from "./declared-tasks.ts";
import { isTask, makeTask } from "./known-tasks.ts";
import { givenUrl } from "./module-url.ts";
import type { Callable } from "./stack-frames.ts";
import { checkTaskFunction, stableName } from "./task-function.ts";
import type { TaskFunction, TaskRef } from "./task-ref.ts";

export { isTask, taskFunction, taskRefOf } from "./known-tasks.ts";
export { isTaskCall } from "./task-call.ts";
export { toTaskCall } from "./to-task-call.ts";

/**
 * A function that other threads can find. Calling it runs nothing: it makes a {@link TaskCall}, to be submitted to a
 * manager or run right here.
 */
export interface Task<A extends unknown[], R> {
  (...args: A): TaskCall<R>;
  /** The function's name, or the one given in the options. */
  readonly name: string;
  /** Where it is found: `file:///app/jobs.mjs#2:hash`. */
  readonly id: string;
}

/** A task and its arguments, not yet run: what a coroutine object is in Python. */
export interface TaskCall<R> {
  // biome-ignore lint/suspicious/noExplicitAny: a call of any task; its arguments were checked when it was made.
  readonly task: Task<any, R>;
  readonly args: readonly unknown[];
  /** Runs it in this thread. */
  run(): R | Promise<R>;
}

export interface TaskOptions {
  /** The module that declares the task, where it is not the one whose top level calls `task()`. */
  readonly url?: string | URL | undefined;
  /** Identifies the task in its module instead of its place there. Unique in the module. */
  readonly name?: string | undefined;
}

/** Any task, of whatever arguments. */
export type AnyTask = Task<never[], unknown>;

/**
 * Declares a task: a function that another thread finds again by importing the module that declares it. It need not be
 * exported. Declare it at the top level of a module; what varies goes in as arguments.
 *
 * Two modules may hold functions of one name, and a factory called at a module's top level may declare several tasks
 * at one place. `options.name` fixes the identity as url#name; together with `options.url` the declaration may stand
 * anywhere, provided that importing that url declares a task of that name or exports a function of that name.
 *
 * Any thread may call it; it never blocks.
 *
 * @example
 * const hash = task((password: string) => createHash("sha256").update(password).digest("hex"));
 * const call = hash("secret"); // nothing has run yet
 * await call.run(); // runs here; loop.submitTask(call) runs it there
 *
 * @throws TaskDeclarationError where no other thread could find it: inside a function, in eval, under a name taken.
 * @throws TypeError where `fn` is no function.
 */
export function task<A extends unknown[], R>(fn: (...args: A) => R, options?: TaskOptions): Task<A, Awaited<R>> {
  return declareTask(fn, options, task);
}

/**
 * `task()`, for the functions of this library that declare one on behalf of their caller; each passes itself as
 * `declare`, so that messages name it and the place that called it.
 */
export function declareTask<A extends unknown[], R>(
  fn: (...args: A) => R,
  options: TaskOptions = {},
  declare: Callable = declareTask,
): Task<A, Awaited<R>> {
  if (isTask(fn))
    throw new TaskDeclarationError(`task() was given ${fn.id}, which is a task already. Use it as it is.`);
  checkTaskFunction(fn);
  if (options.name === "") throw new TaskDeclarationError("task() was given an empty { name }. Give it one, or none.");
  return makeTask<A, Awaited<R>>(identify(fn, options, declare), fn);
}

function identify(fn: TaskFunction, options: TaskOptions, declare: Callable): TaskRef {
  const site = declarationSite(declare);
  const position = site.kind === "module" ? site.position : undefined;
  if (options.url !== undefined && options.name !== undefined) {
    return declareNamed(givenUrl(options.url, "task()"), options.name, position, fn);
  }
  if (site.kind !== "module") {
    const called = declare === task ? "task" : declare.name;
    throw new TaskDeclarationError(whyNot(site, `${called}(${fn.name || "..."})`));
  }
  const url = options.url === undefined ? site.url : givenUrl(options.url, "task()");
  if (options.name !== undefined) return declareNamed(url, options.name, site.position, fn);
  return declareAtPlace(url, stableName(fn), site.position, fn);
}

function whyNot(site: Exclude<DeclarationSite, { kind: "module" }>, what: string): string {
  switch (site.kind) {
    case "function":
      return (
        `${what} was called inside ${site.inside}, where no other thread can find it again. Declare it once at the ` +
        "top level of a module and pass what varies as arguments, or give both { url: import.meta.url, name } if that " +
        "module exports a function of that name. (In a bundle, a module loaded by import() is such a function, unless " +
        "the bundler splits code.)"
      );
    case "lazy":
      return (
        `${what} was called in ${site.inside}, which the bundle runs only at some import(): another thread that loads ` +
        "the bundle does not get there. Bundle with code splitting (esbuild: splitting), or import the module statically."
      );
    case "unimportable":
      return (
        `${what} was called in code that no other thread can import (${site.file}): eval, data: urls, the REPL and ` +
        "node --eval leave no module to find it in. Put it in a file."
      );
  }
}
