/** Runs one task in a new thread that ends with it. */
import { MessageChannel } from "node:worker_threads";
import { type TaskCall, TaskFuture, TaskTimeoutError } from "@duck-ts/runtime";
import {
  currentThread,
  type EncodedTask,
  encodeTask,
  explainTask,
  futureInternals,
  isImportingTasks,
  line,
  newAnswerRing,
  ownDoorbell,
  Submitter,
  type TaskFutureOptions,
  threadWide,
} from "@duck-ts/runtime/internal";
import { UsedWhileImportingError } from "../errors.ts";
import { followSignal } from "../manager.ts";
import { checkSubmit } from "../options.ts";
import { askToolkit, cancelBy, tellToolkit } from "./client.ts";
import type { SeparateOptions } from "./executor.ts";
import { SEPARATE, type SeparateTask } from "./protocol.ts";

/** Not waited for by the process, unless somebody awaits it. */
class DetachedFuture<T> extends TaskFuture<T> {
  protected override onAwaited(): void {
    super.onAwaited();
    this.keepProcess();
  }
}

/**
 * Starts the thread. Needs no turn of this thread's event loop: the caller may block right after.
 *
 * @throws TypeError, RangeError for bad options.
 */
export function submitSeparate<R>(
  call: TaskCall<R>,
  options: SeparateOptions,
  caller: (...args: never[]) => unknown,
): TaskFuture<R> {
  const { detach = true, ...rest } = options;
  if (isImportingTasks()) throw new UsedWhileImportingError("A task was submitted to a thread of its own");
  checkSubmit(rest, "threadedSeparate");
  const name = nextName(call.task.name);
  const settings: TaskFutureOptions = {
    executor: SEPARATE,
    executorLabel: `thread "${name}"`,
    keepAlive: !detach,
    onCancel: cancelBy("separate.cancel"),
    beforeBlocking: () => undefined,
    onFailure: options.logException === false ? () => undefined : undefined,
  };
  const future: TaskFuture<unknown> = detach
    ? DetachedFuture.open(settings, call as TaskCall<unknown>, caller)
    : TaskFuture.open(settings, call as TaskCall<unknown>, caller);
  if (options.timeoutMs === 0) {
    future.fail(new TaskTimeoutError(0));
    return future as TaskFuture<R>;
  }
  let encoded: EncodedTask | undefined;
  try {
    encoded = encodeTask(future, options.transfer);
    send(future, encoded, { name, timeoutMs: options.timeoutMs, holdRoot: !detach && currentThread().parent !== null });
  } catch (error) {
    future.fail(encoded === undefined ? (error as Error) : explainTask(encoded, error));
  }
  if (options.signal !== undefined) followSignal(future, options.signal);
  return future as TaskFuture<R>;
}

function send(
  future: TaskFuture<unknown>,
  encoded: EncodedTask,
  about: Pick<SeparateTask, "name" | "timeoutMs" | "holdRoot">,
): void {
  const { callId } = future;
  const answers = newAnswerRing();
  const task = { ...about, callId, bell: ownDoorbell(), answers };
  if (!line().carriesPorts) {
    tellToolkit({ op: "separate", task: { ...task, port: undefined, message: encoded.message } }, encoded.transfer);
    return;
  }
  const { port1, port2 } = new MessageChannel();
  const submitter = new Submitter(port1, answers);
  try {
    // Before the port leaves: what cannot be cloned must not start a thread, and the message travels inside the port.
    submitter.send(encoded);
    submitter.flush();
  } catch (error) {
    submitter.close();
    throw error;
  }
  futureInternals.whenSettled(future, () => submitter.close());
  tellToolkit({ op: "separate", task: { ...task, port: port2, message: undefined } }, [port2]);
  // The root is told that it has to stay before anything else that this thread does can let it end.
  if (about.holdRoot) askToolkit({ op: "sync" });
}

function nextName(task: string): string {
  const counter = threadWide("toolkit-separate", () => ({ next: 0 }));
  counter.next += 1;
  return `duck:separate-${task === "" ? "task" : task}-${currentThread().id === 0 ? "" : `${currentThread().id}.`}${counter.next}`;
}
