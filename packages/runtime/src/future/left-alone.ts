/** What becomes of a future that was given away to be settled, when the threads that could do so have ended. */
import { setImmediate, setTimeout } from "node:timers"; // not those that a test may have replaced by a clock of its own
import { DeadlockError } from "../errors.ts";
import { threadWide } from "../thread/shared-state.ts";
import { threadLabel } from "./doorbell.ts";
import { openTasks } from "./task-future.ts";

/** The future, as far as it concerns this. */
export type Forsaken = {
  /** Whether somebody in this thread awaits it. */
  isAwaited(): boolean;
  fail(error: Error): void;
  /** It keeps the process alive no longer, or again. */
  letGo(): void;
  hold(): void;
};

/**
 * Where a task was lost that had it, whoever awaits it gets the error that the task got. Where all have ended in good order
 * and have left it as it is, code of this thread may still settle it: it waits as any promise does, which keeps no process
 * alive, and fails only when there is nothing left to do.
 */
export class LeftAlone {
  readonly #future: Forsaken;
  #isAlone = false;
  /** How many tasks that are not settled have it as an argument: they may not have come to it yet. */
  #carriers = 0;
  #lost: Error | undefined;

  constructor(future: Forsaken) {
    this.#future = future;
  }

  /** No other thread holds it any more. */
  alone(): void {
    this.#isAlone = true;
    this.look();
  }

  /** It is on its way to another thread. */
  passedOn(): void {
    this.#isAlone = false;
    this.#lost = undefined;
    if (atTheEnd().delete(this)) this.#future.hold();
  }

  /** A task that is being submitted has it. */
  carried(): void {
    this.#carriers += 1;
  }

  /** Such a task is settled; `lost`: it has ended with its thread. */
  delivered(lost: Error | undefined): void {
    this.#carriers -= 1;
    this.#lost ??= lost;
    this.look();
  }

  /** To be called, too, when somebody begins to await it. */
  look(): void {
    if (!this.#isMissed()) return;
    if (this.#lost !== undefined) {
      // A turn later: whoever hears of the lost task may give the future to another one.
      setImmediate(() => {
        if (this.#lost !== undefined && this.#isMissed()) this.#future.fail(this.#lost);
      });
      return;
    }
    this.#future.letGo();
    atTheEnd().add(this);
  }

  #isMissed(): boolean {
    return this.#isAlone && this.#carriers === 0 && this.#future.isAwaited();
  }

  settled(): void {
    atTheEnd().delete(this);
  }

  /** There is nothing left to do in this thread. */
  end(): void {
    this.#future.fail(
      new DeadlockError(
        [
          `thread "${threadLabel()}" awaits a SyncFuture; the threads that it was given to have ended, and nobody is left to settle it`,
        ],
        "Settle it in every case, also where a task fails.",
      ),
    );
  }
}

/** Those that fail when there is nothing left to do. */
function atTheEnd(): Set<LeftAlone> {
  return threadWide("futures-left-alone", () => {
    const left = new Set<LeftAlone>();
    process.on("beforeExit", () => {
      if (left.size === 0) return;
      // A task that keeps no process alive (a daemon's) may still be waited for by whoever means to settle it.
      if (hasOpenTasks()) setTimeout(() => undefined, LOOK_AGAIN_MS);
      else for (const future of left) future.end();
    });
    return left;
  });
}

const LOOK_AGAIN_MS = 100;

function hasOpenTasks(): boolean {
  for (const _ of openTasks()) return true;
  return false;
}
