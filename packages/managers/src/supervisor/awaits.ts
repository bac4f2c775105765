import type { Wait } from "@duck-ts/runtime/internal";

/** Which task waits for which, across all threads, as far as it was reported (waits that did not end at once). */
export class Awaits {
  /** By the task that waits, then by wait: whom it waits for. */
  readonly #byTask = new Map<string, Map<string, string>>();
  /** By thread, then by wait: who waits, so that it can be taken back. */
  readonly #byThread = new Map<number, Map<number, string>>();

  begin(thread: number, { id, within, target }: Wait): void {
    if (within === undefined || target.on !== "task") return;
    const awaited = this.#byTask.get(within) ?? new Map<string, string>();
    this.#byTask.set(within, awaited);
    awaited.set(`${thread}.${id}`, `${thread}.${target.callId}`);
    const waits = this.#byThread.get(thread) ?? new Map<number, string>();
    this.#byThread.set(thread, waits);
    waits.set(id, within);
  }

  end(thread: number, id: number): void {
    const waits = this.#byThread.get(thread);
    const task = waits?.get(id);
    if (waits === undefined || task === undefined) return;
    waits.delete(id);
    if (waits.size === 0) this.#byThread.delete(thread);
    const awaited = this.#byTask.get(task);
    awaited?.delete(`${thread}.${id}`);
    if (awaited?.size === 0) this.#byTask.delete(task);
  }

  threadGone(thread: number): void {
    for (const id of [...(this.#byThread.get(thread)?.keys() ?? [])]) this.end(thread, id);
  }

  /** The tasks that `task` waits for, directly or through others. */
  reach(task: string): Set<string> {
    const reached = new Set<string>();
    const open = [task];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      for (const awaited of this.#byTask.get(at)?.values() ?? []) {
        if (reached.has(awaited)) continue;
        reached.add(awaited);
        open.push(awaited);
      }
    }
    return reached;
  }
}
