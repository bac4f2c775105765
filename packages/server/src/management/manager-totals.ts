/** The statistics of all managers of the process, by id: threads come and go, and what they counted stays counted. */
import type { ManagerNode, ThreadNode } from "@duck-ts/managers";

/** Managers of one kind and id whose owners are threads of one kind, taken together. */
export interface ManagerTotal {
  readonly kind: ManagerNode["kind"];
  /** Its id, or `(default)`. */
  readonly manager: string;
  /** The kind of thread that owns it: every request thread may have one of this id. */
  readonly owner: ThreadNode["kind"];
  threads: number;
  queued: number;
  active: number;
  completed: number;
  failed: number;
}

type Seen = Map<string, Pick<ManagerNode, "completed" | "failed">>;

export class ManagerTotals {
  readonly #totals = new Map<string, ManagerTotal>();
  /** What each manager had counted when it was seen last. */
  #seen: Seen = new Map();

  /** Takes a look at the tree. What a manager counted between the last look and its thread's death is lost. */
  look(root: ThreadNode): void {
    for (const total of this.#totals.values()) total.threads = total.queued = total.active = 0;
    const seen: Seen = new Map();
    const visit = (thread: ThreadNode): void => {
      for (const manager of thread.managers) this.#add(thread, manager, seen);
      for (const child of thread.children) visit(child);
    };
    visit(root);
    this.#seen = seen;
  }

  all(): readonly ManagerTotal[] {
    return [...this.#totals.values()];
  }

  #add(thread: ThreadNode, node: ManagerNode, seen: Seen): void {
    const { kind, completed, failed } = node;
    const manager = node.id === undefined ? "(default)" : String(node.id);
    const of = JSON.stringify([thread.kind, kind, typeof node.id, manager]);
    let total = this.#totals.get(of);
    if (total === undefined) {
      total = { kind, manager, owner: thread.kind, threads: 0, queued: 0, active: 0, completed: 0, failed: 0 };
      this.#totals.set(of, total);
    }
    total.threads += node.workers;
    total.queued += node.queued;
    total.active += node.active;
    const key = `${thread.id} ${of}`;
    const before = this.#seen.get(key);
    // Counted less than before: another manager has taken its place, and began anew.
    const anew = before === undefined || completed < before.completed || failed < before.failed;
    total.completed += anew ? completed : completed - before.completed;
    total.failed += anew ? failed : failed - before.failed;
    seen.set(key, node);
  }
}
