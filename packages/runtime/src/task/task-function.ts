import { TaskDeclarationError } from "../errors.ts";
import type { TaskFunction } from "./task-ref.ts";

/**
 * Passes what a task can be made of.
 *
 * @throws TaskDeclarationError for native and bound functions and classes.
 * @throws TypeError for what is no function.
 */
export function checkTaskFunction(fn: unknown): asserts fn is TaskFunction {
  if (typeof fn !== "function") {
    const found = fn === null ? "null" : Array.isArray(fn) ? "an array" : `${typeof fn}`;
    throw new TypeError(`task() expected a function, got ${found}. Write task((a, b) => ...).`);
  }
  const source = Function.prototype.toString.call(fn);
  if (/^class\b/.test(source)) {
    throw new TaskDeclarationError(
      `task() was given the class ${fn.name || "(anonymous)"}; a class is not called but constructed, and its ` +
        "instances cannot cross threads. Write task((...args) => new TheClass(...args).run()).",
    );
  }
  if (/\{\s*\[native code\]\s*\}$/.test(source)) {
    const what = fn.name.startsWith("bound ") ? "the bound function" : "the native function";
    throw new TaskDeclarationError(
      `task() was given ${what} ${fn.name || "(anonymous)"}, whose code and values another thread cannot be shown. ` +
        "Write a function around it: task((...args) => theFunction(...args)).",
    );
  }
}

/** The function's name as every tool leaves it: each names an anonymous default export in its own way. */
export function stableName(fn: TaskFunction): string {
  return fn.name === "default" || /^__.*default/.test(fn.name) ? "" : fn.name;
}
