import { line, lineHandlers } from "../supervisor/line.ts";
import { threadWide } from "../thread/shared-state.ts";
import type { WaitTarget } from "../wire/messages.ts";
import { currentTaskId } from "../worker/task-context.ts";

type Report = {
  deadlock: readonly string[] | undefined;
  /** The thread has taken all that has come, and goes to sleep over it. */
  stands(): void;
  end(): void;
};

/** A report, and what the supervisor has asked of it. */
type OpenReport = Report & { asked: number | undefined };

const reports = (): { next: number; readonly open: Map<number, OpenReport> } =>
  threadWide("wait-reports", () => ({ next: 0, open: new Map<number, OpenReport>() }));

const AWAIT_REPORT_MS = 3;

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
  }, AWAIT_REPORT_MS);
  timer.unref();
}

/** Tells the supervisor that this thread (`blocking`) or the current task waits for `target`, until `end()`. */
export function beginWait(target: WaitTarget, blocking: boolean, bounded = false): Report {
  const own = reports();
  const supervisor = line();
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
  const report: OpenReport = {
    deadlock: undefined,
    asked: undefined,
    stands: () => answer(true),
    end() {
      own.open.delete(id);
      answer(false);
      supervisor.post({ t: "unwait", id });
    },
  };
  const answer = (yes: boolean): void => {
    if (report.asked === undefined) return;
    supervisor.post({ t: "confirm", ask: report.asked, yes });
    report.asked = undefined;
  };
  own.open.set(id, report);
  supervisor.post({ t: "wait", wait: { id, blocking, within: currentTaskId(), target, bounded } });
  return report;
}
