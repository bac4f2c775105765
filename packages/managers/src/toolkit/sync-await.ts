/** Calling asynchronous code from a thread that blocks for it. */
import {
  DeadlockError,
  type Task,
  type TaskCall,
  TaskFuture,
  type TaskOptions,
  type ThreadInfo,
  threadLineage,
} from "@duck-ts/runtime";
import {
  currentTaskId,
  currentThread,
  declareTask,
  encodeTask,
  explainTask,
  toTaskCall,
} from "@duck-ts/runtime/internal";
import { LoopManager } from "../loop-manager.ts";
import type { SubmitOptions } from "../options.ts";
import { cancelBy, tellToolkit } from "./client.ts";
import { VISIT } from "./protocol.ts";

/**
 * Declares an async function that threads call through `syncAwait`, and that runs on the event loop of whoever submitted
 * their task. Calling it runs nothing: it makes a call, as `task()` does, whose synonym this is for such functions.
 *
 * @throws TaskDeclarationError inside a function, where no other thread finds it.
 */
export function onLoop<A extends unknown[], R>(fn: (...args: A) => R, options?: TaskOptions): Task<A, Awaited<R>> {
  return declareTask(fn, options, onLoop);
}

/**
 * Runs a declared async function on the event loop of the thread that submitted the current task, and blocks this thread
 * for the result. Takes the function and its arguments, or a call of it.
 *
 * aiomisc's `sync_await`.
 *
 * @throws what the function throws; TaskCancelledError if it was cancelled.
 * @throws DeadlockError if that thread is this one, or itself waits for this task; WorkerCrashedError if it has ended.
 * @example
 * ```ts run
 * import { setTimeout as sleep } from "node:timers/promises";
 * import { onLoop, syncAwait, threaded } from "@duck-ts/managers";
 *
 * const operation = onLoop(async (name: string) => {
 *   await sleep(10);
 *   return `async ${name}`;
 * });
 * const body = threaded(() => `got: ${syncAwait(operation, "result")}`);
 *
 * console.log(await body());
 * ```
 * ```text output
 * got: async result
 * ```
 */
export function syncAwait<A extends unknown[], R>(fn: Task<A, R>, ...args: A): R;
export function syncAwait<R>(call: TaskCall<R>): R;
export function syncAwait(fnOrCall: unknown, ...args: unknown[]): unknown {
  const call = callOf(fnOrCall, args);
  const task = currentTaskId();
  const submitter = task === undefined ? currentThread().id : Number(task.slice(0, task.indexOf(".")));
  return visit(submitter, call).result();
}

/**
 * As {@link syncAwait}, on a loop that is named: a `LoopManager`, or any thread by its `ThreadInfo`. `currentThread()` is
 * plain data and can be passed to a thread as an argument, as a running loop can in Python. `options` go with a call, for
 * a manager.
 *
 * aiomisc's `sync_wait_coroutine`.
 *
 * @throws as {@link syncAwait}; for a manager also ManagerNotRunning and UnknownAsyncTaskError.
 */
export function syncWaitCoroutine<A extends unknown[], R>(
  loop: LoopManager | ThreadInfo,
  fn: Task<A, R>,
  ...args: A
): R;
export function syncWaitCoroutine<R>(loop: LoopManager | ThreadInfo, call: TaskCall<R>, options?: SubmitOptions): R;
export function syncWaitCoroutine(loop: LoopManager | ThreadInfo, fnOrCall: unknown, ...rest: unknown[]): unknown {
  const isFunction = typeof fnOrCall === "function";
  const call = isFunction ? callOf(fnOrCall, rest) : (fnOrCall as TaskCall<unknown>);
  if (loop instanceof LoopManager)
    return loop.submitTask(call, isFunction ? undefined : (rest[0] as SubmitOptions | undefined)).result();
  if (typeof loop?.id !== "number")
    throw new TypeError(
      "syncWaitCoroutine: expected a LoopManager or a ThreadInfo (currentThread() of the thread whose loop is meant).",
    );
  return visit(loop.id, toTaskCall(call)).result();
}

function callOf(fnOrCall: unknown, args: readonly unknown[]): TaskCall<unknown> {
  return args.length > 0 && typeof fnOrCall === "function"
    ? toTaskCall((fnOrCall as (...given: readonly unknown[]) => unknown)(...args))
    : toTaskCall(fnOrCall);
}

/** Runs `call` on the event loop of a thread. */
function visit(thread: number, call: TaskCall<unknown>): TaskFuture<unknown> {
  const here = currentThread();
  if (thread === here.id) {
    throw new DeadlockError(
      [
        `thread "${here.name}" waits for ${call.task.name || "an async function"} to run on its own event loop, which stands still while it waits`,
      ],
      "Await the function instead, or call syncAwait inside a threaded function that another thread has submitted.",
    );
  }
  const name = threadLineage().find(({ id }) => id === thread)?.name ?? String(thread);
  const future = TaskFuture.open<unknown>(
    {
      executor: VISIT,
      executorLabel: `the event loop of thread "${name}"`,
      keepAlive: true,
      onCancel: cancelBy("visit.cancel"),
      beforeBlocking: () => undefined,
      onFailure: () => undefined, // its one caller gets it
    },
    call,
    visit,
  );
  const encoded = encodeTask(future, undefined);
  try {
    tellToolkit({ op: "visit", to: thread, message: encoded.message }, encoded.transfer);
  } catch (error) {
    future.fail(explainTask(encoded, error));
  }
  return future;
}
