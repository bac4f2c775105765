import type { Wait, WaitTarget } from "../wire/messages.ts";

/**
 * Who could end a wait: `anyOf` these threads, or somebody who certainly still can (`live`: a worker that is free, may
 * still be started, or a thread outside our sight). `busyWith` has, for each of those threads, the tasks that must end
 * before it can answer; left out, that is the very task that is waited for.
 */
export type Answerers =
  | { readonly live: true }
  | {
      readonly live: false;
      readonly anyOf: readonly number[];
      readonly busyWith?: readonly (readonly string[])[];
    };

/** Whoever is among any of these. */
export function anyOf(all: readonly Answerers[]): Answerers {
  const threads: number[] = [];
  const busy: (readonly string[])[] = [];
  for (const who of all) {
    if (who.live) return who;
    threads.push(...who.anyOf);
    busy.push(...who.anyOf.map((_, index) => who.busyWith?.[index] ?? []));
  }
  return { live: false, anyOf: threads, busyWith: busy };
}

/** A thread that stands still. */
export type BlockedThread = { readonly thread: number; readonly name: string; readonly wait: Wait };

/** A task that awaits others, and does not go on before, as far as its reports tell; its thread does other work. */
export type AwaitingTask = {
  readonly task: string;
  readonly thread: number;
  readonly name: string;
  readonly waits: readonly Wait[];
};

/** A deadlock: whose wait is to be ended, and who waits for whom, that thread first. */
export type Deadlock = {
  readonly victim: number;
  readonly cycle: readonly string[];
  /** The blocked threads on which it depends, the victim among them: they may know more than they have reported. */
  readonly standing: readonly number[];
  /** The threads that are believed to be stuck only because their tasks await: they may have other reasons to go on. */
  readonly believed: readonly number[];
};

type AnswerersOf = (target: WaitTarget, waiter: number) => Answerers;

/**
 * Finds a deadlock among the blocked threads (in the order in which they blocked) and the tasks that await. A blocked
 * thread is stuck when every thread that could answer it is itself stuck, so: start by suspecting all, and acquit
 * whoever has an answerer that is not a suspect, until nothing changes. Whoever remains is stuck, and following their
 * waits ends in a cycle. Of its blocked threads the one that blocked last is the victim: the error then passes outwards
 * through those who wait for it, and nobody is left standing.
 *
 * A task that awaits may go on for reasons that nobody reports (it races against a timer). So it is acquitted by any one
 * of its waits and by any other task of its thread, a wait that ends by itself (`bounded`) counts as answered, and
 * whoever gives `awaiting` must ask the threads that are `believed` to be stuck.
 */
export function findDeadlock(
  blocked: ReadonlyMap<number, BlockedThread>,
  answerersOf: AnswerersOf,
  awaiting: ReadonlyMap<string, AwaitingTask> = new Map(),
): Deadlock | undefined {
  const stuck = new Suspects(blocked, answerersOf, awaiting);
  const first = stuck.firstThread();
  if (first === undefined) return undefined;
  const path: Suspect[] = [];
  let at: Suspect | undefined = first;
  while (at !== undefined && !path.includes(at)) {
    path.push(at);
    at = stuck.answerersOf(at)[0];
  }
  // A path that ends without closing: its last member waits for something that nobody has.
  const closed = at === undefined ? path.slice(-1) : path.slice(path.indexOf(at));
  const cycle = closed.some(({ task }) => task === undefined) ? closed : path;
  const order = [...blocked.keys()];
  const victim = cycle
    .filter(({ task }) => task === undefined)
    .reduce((a, b) => (order.indexOf(b.thread) > order.indexOf(a.thread) ? b : a));
  const from = cycle.indexOf(victim);
  const told = [...cycle.slice(from), ...cycle.slice(0, from)].map(({ label }) => label);
  return { victim: victim.thread, cycle: told, ...stuck.neededFor(victim) };
}

/** A blocked thread, or a task that awaits. */
type Suspect = {
  readonly thread: number;
  readonly task: string | undefined;
  readonly label: string;
  readonly waits: readonly { readonly target: WaitTarget; readonly who: Answerers }[];
};

/** Those who are stuck: what is left of all that wait when everybody was acquitted who may still go on. */
class Suspects {
  readonly #threads = new Map<number, Suspect>();
  readonly #tasks = new Map<string, Suspect>();

  constructor(
    blocked: ReadonlyMap<number, BlockedThread>,
    answerersOf: AnswerersOf,
    awaiting: ReadonlyMap<string, AwaitingTask>,
  ) {
    const ask = (waits: readonly Wait[], thread: number): Suspect["waits"] =>
      waits.map((wait) => ({
        target: wait.target,
        who: awaiting.size > 0 && endsByItself(wait) ? { live: true } : answerersOf(wait.target, thread),
      }));
    for (const [thread, { name, wait }] of blocked) {
      const label = `thread "${name}" waits for ${wait.target.label}`;
      this.#threads.set(thread, { thread, task: undefined, label, waits: ask([wait], thread) });
    }
    for (const [task, { thread, name, waits }] of awaiting) {
      const label = `task ${task} in thread "${name}" awaits ${waits.map(({ target }) => target.label).join(" and ")}`;
      this.#tasks.set(task, { thread, task, label, waits: ask(waits, thread) });
    }
    this.#acquit();
  }

  firstThread(): Suspect | undefined {
    const [first] = this.#threads.values();
    return first;
  }

  /** Who would have to go on first, for each answerer of each of its waits. */
  answerersOf(suspect: Suspect): Suspect[] {
    const found: Suspect[] = [];
    for (const wait of suspect.waits) {
      if (wait.who.live) continue;
      wait.who.anyOf.forEach((thread, index) => {
        const standing = this.#threads.get(thread);
        if (standing !== undefined) found.push(standing);
        else for (const task of busyWith(wait, index, suspect)) found.push(this.#tasks.get(task) as Suspect);
      });
    }
    return found;
  }

  /** The threads, and the threads of the tasks, on whose being stuck it depends that `victim` is. */
  neededFor(victim: Suspect): Pick<Deadlock, "standing" | "believed"> {
    const seen = new Set<Suspect>([victim]);
    for (const suspect of seen) for (const next of this.answerersOf(suspect)) seen.add(next);
    const threads = (isTask: boolean): number[] => [
      ...new Set([...seen].filter(({ task }) => (task !== undefined) === isTask).map(({ thread }) => thread)),
    ];
    return { standing: threads(false), believed: threads(true) };
  }

  #acquit(): void {
    /** Threads with a task that goes on: what it does may wake its neighbours. */
    const turning = new Set<number>();
    for (let changed = true; changed; ) {
      changed = false;
      for (const [thread, suspect] of this.#threads) {
        if (this.#isStuck(suspect)) continue;
        this.#threads.delete(thread);
        changed = true;
      }
      for (const [task, suspect] of this.#tasks) {
        const { thread } = suspect;
        if (this.#isStuck(suspect) && (this.#threads.has(thread) || !turning.has(thread))) continue;
        this.#tasks.delete(task);
        turning.add(thread);
        changed = true;
      }
    }
  }

  #isStuck(suspect: Suspect): boolean {
    return suspect.waits.every((wait) => {
      if (wait.who.live) return false;
      return wait.who.anyOf.every((thread, index) => {
        if (this.#threads.has(thread)) return true;
        const tasks = busyWith(wait, index, suspect);
        return tasks.length > 0 && tasks.every((task) => this.#tasks.get(task)?.thread === thread);
      });
    });
  }
}

/** The tasks that must end before the answerer at `index` can answer. */
function busyWith({ target, who }: Suspect["waits"][number], index: number, { thread }: Suspect): readonly string[] {
  if (who.live) return [];
  if (who.busyWith !== undefined) return who.busyWith[index] ?? [];
  return target.on === "task" ? [`${thread}.${target.callId}`] : [];
}

/** A wait with a deadline of its own, or for a task that has one. */
function endsByItself({ bounded, target }: Wait): boolean {
  return bounded === true || (target.on === "task" && target.bounded === true);
}
