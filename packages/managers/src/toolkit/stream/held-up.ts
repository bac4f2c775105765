/** Tasks of this thread that wait for room in one of its own streams, which nobody reads. */
import { setTimeout } from "node:timers"; // not the one that a test may have replaced by a clock of its own
import type { TaskFuture } from "@duck-ts/runtime";
import { currentThread, openTask, openTasks, threadWide } from "@duck-ts/runtime/internal";

/**
 * They go on only if this thread takes items, so they are no reason for it to stay: while they wait they do not keep the
 * process alive. Where nothing else does either their stream is closed, and the process ends once they have.
 */
export class HeldUp {
  readonly #tasks: TaskFuture<unknown>[] = [];
  readonly #stream: { shut(): void; serve(): void };

  constructor(stream: { shut(): void; serve(): void }) {
    this.#stream = stream;
  }

  /** `task`: by the thread that submitted it and its number there. */
  add(task: string): void {
    const [thread, callId] = task.split(".").map(Number);
    const future = thread === currentThread().id ? openTask(callId as number) : undefined;
    if (future?.letProcessEnd() !== true) return;
    this.#tasks.push(future);
    heldUp().add(this);
  }

  /** There is room, or the stream is closed. */
  goOn(): void {
    if (this.#tasks.length === 0) return;
    heldUp().delete(this);
    for (const future of this.#tasks.splice(0)) future.keepProcess();
  }

  get tasks(): readonly TaskFuture<unknown>[] {
    return this.#tasks;
  }

  closeStream(): void {
    this.#stream.shut();
    this.#stream.serve();
  }
}

function heldUp(): Set<HeldUp> {
  return threadWide("toolkit-held-up", () => {
    const all = new Set<HeldUp>();
    process.on("beforeExit", () => {
      if (all.size === 0) return;
      // Where the reader waits for a task that keeps no process alive (a daemon's), it may come back.
      if (hasOthers(all)) setTimeout(() => undefined, LOOK_AGAIN_MS);
      else for (const each of [...all]) each.closeStream();
    });
    return all;
  });
}

const LOOK_AGAIN_MS = 100;

/** Whether this thread waits for other tasks than these. */
function hasOthers(all: ReadonlySet<HeldUp>): boolean {
  const stuck = new Set([...all].flatMap((each) => each.tasks));
  for (const future of openTasks()) if (!stuck.has(future)) return true;
  return false;
}
