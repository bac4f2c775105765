/** A submitted task as it travels. */
import type { Transferable } from "node:worker_threads";
import { captureContext } from "../context/context-var.ts";
import { DataNotCloneableError } from "../errors.ts";
import { carriedIn } from "../future/shared-handle.ts";
import { SyncFuture } from "../future/sync-future.ts";
import type { TaskFuture } from "../future/task-future.ts";
import { taskRefOf } from "../task/task.ts";
import type { TaskRef } from "../task/task-ref.ts";
import { keepShape } from "../thread/kept-shapes.ts";
import { explainNotCloneable, findNotCloneable } from "../wire/clone-path.ts";
import type { Claims, RunMessage } from "../wire/messages.ts";
import { type Encoded, encodeValue, isPlainScalars } from "../wire/value-codec.ts";

/** A task ready to travel. */
export class EncodedTask {
  readonly callId: number;
  readonly task: TaskRef;
  readonly args: readonly unknown[];
  readonly specials: Encoded["specials"];
  readonly context: Encoded | undefined;
  readonly transfer: readonly Transferable[];
  /** Its arguments are scalars, which cannot change any more: it may be sent later, or again. */
  readonly copied: boolean;
  /** It is copied, and takes next to no memory. */
  readonly isSmall: boolean;
  readonly submittedAt: number;

  constructor(
    callId: number,
    submittedAt: number,
    task: TaskRef,
    { value, specials }: Encoded,
    context: Encoded | undefined,
    transfer: readonly Transferable[],
    copied: boolean,
  ) {
    this.callId = callId;
    this.submittedAt = submittedAt;
    this.task = task;
    this.args = value as readonly unknown[];
    this.specials = specials;
    this.context = context;
    this.transfer = transfer;
    this.copied = copied;
    this.isSmall = copied && !this.args.some((arg) => typeof arg === "string" && arg.length > SMALL_TEXT);
  }

  /** The same, with values of its own: what it was made from may change from now on. */
  snapshot(): EncodedTask {
    const { args, specials, context } = this;
    return Object.assign(
      Object.create(EncodedTask.prototype) as EncodedTask,
      this,
      structuredClone({ args, specials, context }),
    );
  }

  /** As it crosses alone. */
  get message(): RunMessage {
    return this.messageAs(this.task, undefined);
  }

  messageAs(task: RunMessage[2], claims: Claims | undefined): RunMessage {
    const { callId, args, specials, context, submittedAt } = this;
    return ["run", callId, task, args, specials, context, submittedAt, claims];
  }
}

/** Makes the message for a task: captures the context, finds what needs more than structured clone. */
export function encodeTask(future: TaskFuture<unknown>, transfer: readonly Transferable[] | undefined): EncodedTask {
  const { callId, call, submittedAt } = future;
  const task = taskRefOf(call.task);
  const captured = captureContext();
  if (captured === undefined && isPlainScalars(call.args) && (transfer === undefined || transfer.length === 0))
    return new EncodedTask(
      callId,
      submittedAt,
      task,
      { value: call.args, specials: undefined },
      undefined,
      NOTHING,
      true,
    );
  const moved = transfer === undefined ? [] : [...transfer];
  const args = encodeValue(call.args, moved, "args");
  const context = captured === undefined ? undefined : encodeValue(captured, moved, "context");
  const specials = [...(args.specials ?? []), ...(context?.specials ?? [])];
  if (specials.length > 0 && future instanceof SyncFuture) future.carries ??= carriedIn(specials, future); // else workerInit
  return new EncodedTask(callId, submittedAt, task, args, context, moved, false);
}

/** The error for a task whose message could not be cloned. */
export function explainTask(task: EncodedTask, cause: unknown): Error {
  const { args, context } = task;
  const inArgs = findNotCloneable(args, "args", task.transfer, () => true).culprit;
  if (inArgs === undefined && isAboutTransfer(cause))
    return new DataNotCloneableError("transfer", `a list with something that cannot be moved (${cause.message})`, {
      cause,
    });
  return inArgs === undefined && context !== undefined
    ? explainNotCloneable(context.value, "context", { transfer: task.transfer, cause })
    : explainNotCloneable(args, "args", { transfer: task.transfer, cause });
}

/** Whether Node refused what was to be moved, and not what was to be copied. */
function isAboutTransfer(cause: unknown): cause is Error {
  return cause instanceof Error && /transfer list|transferlist|cannot transfer/i.test(cause.message);
}

/** Characters. */
const SMALL_TEXT = 4096;

const NOTHING: readonly Transferable[] = [];

keepShape(new EncodedTask(0, Date.now(), {} as never, { value: [], specials: undefined }, undefined, NOTHING, true));
