import { setTimeout } from "node:timers"; // not the one that a test may have replaced by a clock of its own
import { line, lineHandlers } from "../supervisor/line.ts";
import { keepShape } from "../thread/kept-shapes.ts";
import { threadWide } from "../thread/shared-state.ts";
import type { WaitTarget } from "../wire/messages.ts";
import { currentTaskId } from "../worker/task-context.ts";

/** A wait that the supervisor knows of. */
class Report {
  /** Set by the supervisor: who waits for whom. */
  deadlock: readonly string[] | undefined;
  /** What the supervisor has asked of it. */
  asked: number | undefined;
  readonly #id: number;

  constructor(id: number) {
    this.#id = id;
  }

  /** The thread has taken all that has come, and goes to sleep over it. */
  stands(): void {
    this.#answer(true);
  }

  end(): void {
    reports().open.delete(this.#id);
    this.#answer(false);
    line().post({ t: "unwait", id: this.#id });
  }

  #answer(yes: boolean): void {
    if (this.asked === undefined) return;
    line().post({ t: "confirm", ask: this.asked, yes });
    this.asked = undefined;
  }
}

keepShape(new Report(0));

const reports = (): { next: number; readonly open: Map<number, Report> } =>
  threadWide("wait-reports", () => ({ next: 0, open: new Map<number, Report>() }));

/**
 * Before a wait is reported to the supervisor, which looks for a deadlock. Answers are usually there long before. It is
 * longer than the kernel's tick (4 ms where it has 250 a second): for a sleep that is to end before the next tick the
 * clock's hardware is set, which costs more than a microsecond each time.
 */
export const REPORT_AFTER_MS = 10;

/** The current task (not its whole thread) awaits: worth reporting only if it takes a while. */
export function reportIfLong(
  future: { readonly done: boolean },
  target: WaitTarget,
  whenSettled: (fn: () => void) => void,
): void {
  const timer = setTimeout(() => {
    if (future.done) return;
    const report = beginWait(target, false);
    whenSettled(() => report.end());
  }, REPORT_AFTER_MS);
  timer.unref();
}

/** Tells the supervisor that this thread (`blocking`) or the current task waits for `target`, until `end()`. */
export function beginWait(target: WaitTarget, blocking: boolean, bounded = false): Report {
  const own = reports();
  lineHandlers().deadlock ??= (id, cycle) => {
    const waiting = own.open.get(id);
    if (waiting !== undefined) waiting.deadlock = cycle;
  };
  lineHandlers().stands ??= (wait, ask) => {
    const waiting = own.open.get(wait);
    // It is answered before the thread sleeps again, or when the wait is over.
    if (waiting !== undefined) waiting.asked = ask;
    else line().post({ t: "confirm", ask, yes: false });
  };
  own.next += 1;
  const id = own.next;
  const report = new Report(id);
  own.open.set(id, report);
  line().post({ t: "wait", wait: { id, blocking, within: currentTaskId(), target, bounded } });
  return report;
}
