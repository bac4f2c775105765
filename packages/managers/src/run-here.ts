import { DeadlockError, SyncFuture, type TaskFuture } from "@duck-ts/runtime";
import {
  awaited,
  captureContext,
  currentThread,
  futureInternals,
  runInTask,
  runWithContext,
  TaskContext,
  taskFunction,
} from "@duck-ts/runtime/internal";
import { copied } from "./copied.ts";
import { ask } from "./service-client.ts";

/**
 * This thread, a worker of this very pool, is about to stand still for a task of the pool. If that task has not begun
 * it runs here and now: so a pool never waits for itself. An asynchronous task cannot: it needs the event loop.
 */
export function runHere(future: TaskFuture<unknown>, key: string, count: (ok: boolean) => void): void {
  const fn = taskFunction(future.call.task);
  if (fn.constructor.name === "AsyncFunction") return;
  if (!ask<boolean>({ op: "reclaim", key, callId: future.callId })) return;
  future.assign(currentThread());
  let ok = true;
  let value: unknown;
  try {
    const args = copied(future.call.args, "args") as unknown[];
    const context = captureContext();
    const vars = context === undefined ? undefined : (copied(context, "context") as Record<string, unknown>);
    value = runWithContext(vars, () =>
      runInTask(new TaskContext(currentThread().id, future.callId), () => {
        const returned = fn(...args);
        // Another task's future can be stood still for as this one is.
        return returned instanceof SyncFuture ? returned.result() : awaited(returned);
      }),
    );
    if (!(value instanceof Promise)) value = copied(value, "result");
  } catch (thrown) {
    ok = false;
    value = thrown;
  }
  count(ok);
  if (ok && value instanceof Promise) {
    value.then(
      (result) => future.setResult(result),
      (thrown: unknown) => futureInternals.settle(future, { ok: false, thrown, cancelled: false }),
    );
    throw new DeadlockError([
      `thread "${currentThread().name}" waits for a promise of its own event loop: task ${future.call.task.id} ran there, since its pool had no other thread free`,
    ]);
  }
  if (ok) future.setResult(value);
  else future.failWith(value);
}
