import type { Answerers, FromWorker, RunMessage, ThreadExit, ThreadRecord } from "@duck-ts/runtime/internal";
import type { ToolkitContext } from "./toolkit-host.ts";

type Visit = { readonly from: ThreadRecord; readonly to: ThreadRecord };

/** Tasks on their way to the event loop of any thread, and their answers: what `syncAwait` stands on. */
export class Visits {
  readonly #context: ToolkitContext;
  readonly #open = new Map<string, Visit>();

  constructor(context: ToolkitContext) {
    this.#context = context;
  }

  start(from: ThreadRecord, to: number, message: RunMessage): void {
    const host = this.#context.api.thread(to);
    if (host === undefined) {
      this.#lost(from, message[1], `thread ${to}`, { reason: "exit", exitCode: undefined });
      return;
    }
    this.#open.set(`${from.id}.${message[1]}`, { from, to: host });
    this.#context.tell(host, { op: "visit", from: from.id, message });
  }

  cancel(from: ThreadRecord, callId: number, reason: unknown): void {
    const visit = this.#open.get(`${from.id}.${callId}`);
    this.#open.delete(`${from.id}.${callId}`);
    this.#context.tell(visit?.to, { op: "visit.cancel", from: from.id, callId, reason });
  }

  answered(by: ThreadRecord, to: number, answers: readonly FromWorker[]): void {
    const visitor = this.#context.api.thread(to);
    for (const [, callId] of answers) this.#open.delete(`${to}.${callId}`);
    if (visitor !== undefined) this.#context.answer(visitor, { op: "answers", answers, links: by.links });
  }

  threadGone(thread: ThreadRecord, exit: ThreadExit): void {
    for (const [name, { from, to }] of this.#open) {
      if (from !== thread && to !== thread) continue;
      this.#open.delete(name);
      if (to === thread) this.#lost(from, Number(name.slice(name.indexOf(".") + 1)), thread.info?.name ?? "?", exit);
    }
  }

  answerers(waiter: number, callId: number): Answerers {
    const visit = this.#open.get(`${waiter}.${callId}`);
    return visit === undefined ? { live: true } : { live: false, anyOf: [visit.to.id] };
  }

  #lost(from: ThreadRecord, callId: number, thread: string, exit: ThreadExit): void {
    this.#context.answer(from, { op: "lost", callId, exit, thread });
  }
}
