import { WorkerCrashedError } from "../errors.ts";
import type { ThreadInfo } from "../thread/identity.ts";
import { encodeError } from "../wire/error-codec.ts";
import type { TaskTarget, ThreadExit, WireOutcome } from "../wire/messages.ts";
import type { ThreadRecord } from "./supervisor.ts";

type Entry = {
  readonly holders: Set<number>;
  /** Tasks that have it as an argument, and may not have come to it yet. */
  readonly carriers: Map<string, FutureTask>;
  outcome: WireOutcome | undefined;
  task?: FutureTask | undefined;
};

/** The task of which a future is the result, and the thread that submitted it. */
export type FutureTask = { readonly target: TaskTarget; readonly of: number };

/** The futures that were passed between threads: who holds each, and how it came out. Forgotten when nobody holds them. */
export class SharedFutures {
  readonly #entries = new Map<string, Entry>();
  readonly #find: (thread: number) => ThreadRecord | undefined;

  constructor(find: (thread: number) => ThreadRecord | undefined) {
    this.#find = find;
  }

  hold(id: string, thread: ThreadRecord, task?: TaskTarget): void {
    const entry = this.#entry(id);
    entry.holders.add(thread.id);
    if (task !== undefined) entry.task = { target: task, of: thread.id };
    if (entry.outcome !== undefined) thread.post({ t: "future.settled", id, outcome: entry.outcome });
  }

  settle(id: string, outcome: WireOutcome, by: ThreadRecord | undefined): void {
    const entry = this.#entry(id);
    if (entry.outcome !== undefined) return;
    entry.outcome = outcome;
    for (const holder of entry.holders)
      if (holder !== by?.id) this.#find(holder)?.post({ t: "future.settled", id, outcome });
  }

  release(id: string, thread: ThreadRecord): void {
    const entry = this.#entries.get(id);
    entry?.holders.delete(thread.id);
    if (entry?.holders.size === 0) this.#entries.delete(id);
  }

  /** The threads other than `waiter` that could settle it; `undefined`: it is settled, which `waiter` is about to hear. */
  settlers(id: string, waiter: number): number[] | undefined {
    const { holders = [], outcome } = this.#entries.get(id) ?? {};
    return outcome === undefined ? [...holders].filter((holder) => holder !== waiter) : undefined;
  }

  carried(id: string, thread: ThreadRecord, target: TaskTarget): void {
    this.#entry(id).carriers.set(`${thread.id}.${target.callId}`, { target, of: thread.id });
  }

  delivered(id: string, thread: ThreadRecord, callId: number): void {
    this.#entries.get(id)?.carriers.delete(`${thread.id}.${callId}`);
  }

  carriersOf(id: string): FutureTask[] {
    return [...(this.#entries.get(id)?.carriers.values() ?? [])];
  }

  taskOf(id: string): FutureTask | undefined {
    return this.#entries.get(id)?.task;
  }

  /** A future that only one thread is left to hold can be settled by nobody else: its holder is told. */
  threadGone(thread: ThreadInfo, exit: ThreadExit): void {
    for (const [id, { holders, carriers, outcome, task }] of this.#entries) {
      for (const [name, { of }] of carriers) if (of === thread.id) carriers.delete(name);
      if (!holders.delete(thread.id)) continue;
      if (holders.size === 0) this.#entries.delete(id);
      if (holders.size !== 1 || outcome !== undefined) continue;
      const [holder] = holders;
      if (id.startsWith(`${holder}.`) && task === undefined)
        this.#find(holder as number)?.post({ t: "future.alone", id });
      else if (id.startsWith(`${thread.id}.`)) {
        this.settle(
          id,
          { ok: false, error: encodeError(new WorkerCrashedError(thread.name, exit.reason, exit.exitCode)) },
          undefined,
        );
      }
    }
  }

  #entry(id: string): Entry {
    const known = this.#entries.get(id);
    if (known !== undefined) return known;
    const entry: Entry = { holders: new Set(), carriers: new Map(), outcome: undefined };
    this.#entries.set(id, entry);
    return entry;
  }
}
