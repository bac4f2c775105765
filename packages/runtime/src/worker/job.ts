/** A task that has come to this thread, and the forms in which it comes. */
import type { TaskRef } from "../task/task-ref.ts";
import type { ManyMessage, RunMessage } from "../wire/messages.ts";
import type { Inbox } from "./inbox.ts";
import type { TaskContext } from "./task-context.ts";

/** One task in this thread. */
export type Job = {
  readonly inbox: Inbox;
  readonly callId: number;
  readonly task: TaskRef;
  /** What `task` is called on its port; -1: it came with its name. */
  readonly taskNumber: number;
  readonly args: readonly unknown[];
  readonly specials: RunMessage[4];
  readonly carried: RunMessage[5];
  readonly submittedAt: number;
  /** Its number among the tasks that its submitter may take back; -1: it may not. */
  readonly order: number;
  /** Asked when its turn has come; `false`: somebody took it back. */
  readonly claim: (() => boolean) | undefined;
  /** Whether it runs out of turn, next to what runs. */
  readonly beside: boolean;
  /** Whether its function was called, and when (`performance.now()`). Before that its module may have to be imported. */
  begun: boolean;
  startedAt: number;
  context: TaskContext | undefined;
};

/** Tasks that came flat, one after the other. Each becomes an object when its turn comes: thousands may wait. */
export class Batch {
  left = 0;
  readonly #inbox: Inbox;
  readonly #submittedAt: number;
  readonly #flat: readonly unknown[];
  #order: number;
  #at = 0;

  constructor(inbox: Inbox, [, submittedAt, claims, flat]: ManyMessage) {
    if (claims !== undefined) inbox.claims.learn(claims);
    this.#inbox = inbox;
    this.#submittedAt = submittedAt;
    this.#order = claims?.from ?? -1;
    this.#flat = flat;
    for (let at = 0; at < flat.length; at += 3 + (flat[at + 2] as number)) this.left += 1;
  }

  shift(): Job {
    const flat = this.#flat;
    const at = this.#at;
    const taskNumber = flat[at + 1] as number;
    this.#at = at + 3 + (flat[at + 2] as number);
    this.left -= 1;
    const order = this.#order < 0 ? -1 : this.#order++;
    const args = flat.slice(at + 3, this.#at);
    return knownJob(this.#inbox, flat[at] as number, taskNumber, args, this.#submittedAt, order);
  }
}

/** One whose task the thread was told of before, and whose arguments are scalars. */
export function knownJob(
  inbox: Inbox,
  callId: number,
  taskNumber: number,
  args: readonly unknown[],
  submittedAt: number,
  order: number,
): Job {
  return {
    inbox,
    callId,
    task: inbox.taskOf(taskNumber),
    taskNumber,
    args,
    specials: undefined,
    carried: undefined,
    submittedAt,
    order,
    claim: undefined,
    beside: false,
    begun: false,
    startedAt: 0,
    context: undefined,
  };
}

export function oneJob(inbox: Inbox, message: RunMessage): Job {
  const [, callId, task, args, specials, carried, submittedAt, claims] = message;
  if (claims !== undefined) inbox.claims.learn(claims);
  // Over a direct port the second time on a number stands for the reference.
  const known = typeof task === "number";
  const taskNumber = known ? (task as number) : (task.as ?? -1);
  if (!known && taskNumber >= 0) inbox.learnTask(taskNumber, task);
  return {
    inbox,
    callId,
    task: known ? inbox.taskOf(taskNumber) : task,
    taskNumber,
    args,
    specials,
    carried,
    submittedAt,
    order: claims?.from ?? -1,
    claim: undefined,
    beside: false,
    begun: false,
    startedAt: 0,
    context: undefined,
  };
}
