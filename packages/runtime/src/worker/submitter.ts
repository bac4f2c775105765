/** The submitting end of a direct port to a worker. Its counterpart is `host.ts`. */
import { type MessagePort, receiveMessageOnPort, type Transferable } from "node:worker_threads";
import { captureContext } from "../context/context-var.ts";
import { drainWhileBlocked } from "../future/doorbell.ts";
import { openTask, type TaskFuture } from "../future/task-future.ts";
import { taskRefOf } from "../task/task.ts";
import type { TaskRef } from "../task/task-ref.ts";
import { explainNotCloneable, findNotCloneable } from "../wire/clone-path.ts";
import { encodeError } from "../wire/error-codec.ts";
import type { FromWorker, RunMessage, ToWorker } from "../wire/messages.ts";
import { encodeValue, isPlainScalars } from "../wire/value-codec.ts";

/** A task ready to travel. `copied`: its arguments cannot change any more, so it may be sent later or again. */
export type EncodedTask = { readonly message: RunMessage; readonly transfer: Transferable[]; readonly copied: boolean };

/** Makes the message for a task: captures the context, finds what needs more than structured clone. */
export function encodeTask(future: TaskFuture<unknown>, transfer: readonly Transferable[] | undefined): EncodedTask {
  const { callId, call } = future;
  const context = captureContext();
  const scalars = isPlainScalars(call.args);
  const moved: Transferable[] = transfer === undefined ? [] : [...transfer];
  const args = scalars ? { value: call.args, specials: undefined } : encodeValue(call.args, moved, "args");
  const carried = context === undefined ? undefined : encodeValue(context, moved, "context");
  const message: RunMessage = [
    "run",
    callId,
    taskRefOf(call.task),
    args.value as readonly unknown[],
    args.specials,
    carried,
    Date.now(),
  ];
  return { message, transfer: moved, copied: scalars && context === undefined && moved.length === 0 };
}

/** The error for a task whose message could not be cloned. */
export function explainTask(task: EncodedTask, cause: unknown): Error {
  const [, , , args, , context] = task.message;
  const inArgs = findNotCloneable(args, "args", task.transfer, () => true).culprit;
  return inArgs === undefined && context !== undefined
    ? explainNotCloneable(context.value, "context", { transfer: task.transfer, cause })
    : explainNotCloneable(args, "args", { transfer: task.transfer, cause });
}

/**
 * Sends tasks to one worker and takes its answers. What one turn of the event loop submits goes as one message; a task
 * whose arguments could still be changed goes at once.
 */
export class Submitter {
  readonly #port: MessagePort;
  #outbox: ToWorker[] = [];
  readonly #shortNames = new Map<TaskRef, number>();
  #named = 0;
  readonly #undrain: () => void;
  readonly #onAnswer: ((future: TaskFuture<unknown>) => void) | undefined;

  constructor(port: MessagePort, onAnswer?: (future: TaskFuture<unknown>) => void) {
    this.#port = port;
    this.#onAnswer = onAnswer;
    port.on("message", (answers: readonly FromWorker[]) => this.#take(answers));
    port.unref();
    this.#undrain = drainWhileBlocked(this);
  }

  send(task: EncodedTask): void {
    if (task.copied) {
      if (this.#outbox.push(this.#shorten(task.message)) === 1) queueMicrotask(() => this.flush());
      return;
    }
    this.flush();
    const known = this.#shortNames.size;
    try {
      this.#port.postMessage([this.#shorten(task.message)], task.transfer);
    } catch (error) {
      if (this.#shortNames.size > known) this.#shortNames.delete(task.message[2]); // it never got there
      throw error;
    }
  }

  /** The message with its task's reference as the number that the worker knows it by, or is told now. */
  #shorten(message: RunMessage): RunMessage {
    const [op, callId, ref, args, specials, context, submittedAt] = message;
    const known = this.#shortNames.get(ref);
    if (known !== undefined) return [op, callId, known as never, args, specials, context, submittedAt];
    const as = this.#named++;
    this.#shortNames.set(ref, as);
    return [op, callId, { ...ref, as }, args, specials, context, submittedAt];
  }

  cancel(callId: number, reason: unknown): void {
    this.flush();
    this.#port.postMessage([
      ["cancel", callId, reason === undefined ? undefined : encodeError(reason)],
    ] satisfies ToWorker[]);
  }

  flush(): void {
    if (this.#outbox.length === 0) return;
    const batch = this.#outbox;
    this.#outbox = [];
    this.#port.postMessage(batch);
  }

  /** Takes the answers that are there, without an event loop. */
  drain(): void {
    for (let got = receiveMessageOnPort(this.#port); got !== undefined; got = receiveMessageOnPort(this.#port))
      this.#take(got.message as FromWorker[]);
  }

  close(): void {
    this.#undrain();
    this.#port.close();
  }

  #take(answers: readonly FromWorker[]): void {
    for (const answer of answers) {
      const future = openTask(answer[1]);
      if (future === undefined) continue; // cancelled here meanwhile
      this.#onAnswer?.(future);
      future.settleFromWire(answer);
    }
  }
}
