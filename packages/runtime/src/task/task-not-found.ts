import { TaskNotFoundError } from "../errors.ts";
import { describeDeclared } from "./declared-tasks.ts";
import type { Evaluation } from "./evaluation.ts";
import { importUrl, type TaskRef, taskId } from "./task-ref.ts";

/** The error for a task that its module, once imported, turned out not to have. */
export function taskNotFound(ref: TaskRef, { error, namespace }: Evaluation): TaskNotFoundError {
  const id = taskId(ref);
  const failed = namespace === undefined;
  const message = `The task ${id} was not found in this thread: ${failed ? afterFailure(ref, error) : afterImport(ref, namespace)}`;
  return new TaskNotFoundError(id, message, failed ? { cause: error } : undefined);
}

function afterFailure(ref: TaskRef, error: unknown): string {
  const said = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const { lines } = describeDeclared(ref);
  const before = lines.length === 0 ? "" : ` Until then it had declared ${list(lines)}; what comes later is missing.`;
  return (
    `importing ${importUrl(ref)} failed (${said}).${before} A module must be loadable in every thread; a script ` +
    "declares its tasks before it does anything else."
  );
}

function afterImport(ref: TaskRef, namespace: Readonly<Record<string, unknown>>): string {
  if (ref.kind === "export") {
    const functions = Object.keys(namespace).filter((key) => typeof namespace[key] === "function");
    return `the module exports no function of that name. Its functions: ${list(functions)}.`;
  }
  const { lines, sameName } = describeDeclared(ref);
  if (sameName > 1) {
    return (
      `the module declared other tasks before it than in the thread that sent it, and ${sameName} bear the name ` +
      `${JSON.stringify(ref.name)}: ${list(lines)}. Declare the same tasks in every thread, or give each a { name }.`
    );
  }
  if (ref.url.includes("#")) {
    return (
      "it stands in a part of a bundle that runs only at some import(), and loading the bundle did not get there. " +
      "Bundle with code splitting (esbuild: splitting), or import that module statically."
    );
  }
  return (
    `the module was imported, but declared ${list(lines)}. Declare the same tasks in the same order in every thread ` +
    "(no condition on the thread, no vi.resetModules() between), or give the task a { name }."
  );
}

function list(items: readonly string[]): string {
  if (items.length === 0) return "none";
  const more = items.length - 20;
  return items.slice(0, 20).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
