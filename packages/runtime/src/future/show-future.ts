/** What people see of a future in a console or a debugger: as of a promise, how far it is, and of a task who has it. */
import { type InspectOptions, inspect } from "node:util";
import { futureInternals, SyncFuture } from "./sync-future.ts";
import { TaskFuture } from "./task-future.ts";

/** Looking at it this way is not looking at its outcome: a failure that was only printed is still logged. */
function show(future: SyncFuture<unknown>, depth: number, options: InspectOptions): string {
  const name = future instanceof TaskFuture ? "TaskFuture" : "SyncFuture"; // a bundler may have renamed the class
  if (depth < 0) return `[${name}]`;
  const inside = { ...options, depth: options.depth === null ? null : depth - 1 };
  const parts = [state(future, inside)];
  if (future instanceof TaskFuture) {
    const { name: task, id } = future.call.task;
    parts.push(`task: ${inspect(task === "" ? id : task, options)}`, `taskId: ${inspect(future.taskId, options)}`);
    if (future.worker !== null) parts.push(`thread: ${inspect(future.worker.name, options)}`);
  }
  return `${name} { ${parts.join(", ")} }`;
}

function state(future: SyncFuture<unknown>, options: InspectOptions): string {
  const outcome = futureInternals.outcome(future);
  if (outcome === undefined) return "<pending>";
  if (outcome.ok) return inspect(outcome.value, options);
  return `<${outcome.cancelled ? "cancelled" : "rejected"}> ${inspect(outcome.thrown, options)}`;
}

Object.defineProperty(SyncFuture.prototype, inspect.custom, {
  value(this: SyncFuture<unknown>, depth: number, options: InspectOptions): string {
    return show(this, depth, options);
  },
});
