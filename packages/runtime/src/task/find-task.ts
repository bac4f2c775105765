import { threadWide } from "../thread/shared-state.ts";
import { findDeclared } from "./declared-tasks.ts";
import { type Evaluation, evaluate } from "./evaluation.ts";
import { isImportOf } from "./importing.ts";
import { isTask, taskFunction } from "./known-tasks.ts";
import { taskNotFound } from "./task-not-found.ts";
import { importUrl, type TaskFunction, type TaskRef } from "./task-ref.ts";

/** The modules that this thread imports, or has imported, to find tasks in them. */
const evaluations: Map<string, Evaluation> = threadWide("task.evaluations", () => new Map());

/** The task's function, if this thread has evaluated its module already. Never imports, never blocks. */
export function lookupTask(ref: TaskRef): TaskFunction | undefined {
  const url = importUrl(ref);
  const evaluation = evaluations.get(url);
  // Half evaluated, a module's tasks may use constants that are not there yet. Its own code knows what it may use.
  if (evaluation?.state === "running" && !isImportOf(url)) return undefined;
  return find(ref, evaluation);
}

/**
 * The task's function, by importing its module if need be. It returns at once where the thread knows it already.
 *
 * @throws TaskNotFoundError, as a rejection: the module cannot be imported, or has no such task, or several that fit.
 */
export function findTask(ref: TaskRef): TaskFunction | Promise<TaskFunction> {
  return lookupTask(ref) ?? importAndFind(ref);
}

async function importAndFind(ref: TaskRef): Promise<TaskFunction> {
  const url = importUrl(ref);
  let evaluation = evaluations.get(url);
  // What failed may succeed later (a file that was still being written); what was evaluated Node remembers by itself.
  if (evaluation === undefined || evaluation.state === "failed") {
    evaluation = evaluate(url);
    evaluations.set(url, evaluation);
  }
  await evaluation.usable;
  let fn = find(ref, evaluation);
  if (fn === undefined && evaluation.state === "stuck") {
    await evaluation.ended;
    fn = find(ref, evaluation);
  }
  if (fn === undefined) throw taskNotFound(ref, evaluation);
  return fn;
}

function find(ref: TaskRef, evaluation: Evaluation | undefined): TaskFunction | undefined {
  return findDeclared(ref) ?? findExported(ref, evaluation);
}

function findExported(ref: TaskRef, evaluation: Evaluation | undefined): TaskFunction | undefined {
  if (ref.kind === "place") return undefined;
  const value = evaluation?.namespace?.[ref.name];
  if (isTask(value)) return taskFunction(value);
  return typeof value === "function" ? (value as TaskFunction) : undefined;
}
