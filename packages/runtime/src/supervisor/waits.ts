import type { Wait, WaitTarget } from "../wire/messages.ts";

/**
 * Who could end a wait: `anyOf` these threads, or somebody who certainly still can (`live`: a worker that is free, may
 * still be started, or a thread outside our sight).
 */
export type Answerers = { readonly live: true } | { readonly live: false; readonly anyOf: readonly number[] };

/** A thread that stands still. */
export type BlockedThread = { readonly thread: number; readonly name: string; readonly wait: Wait };

/** A deadlock: whose wait is to be ended, and who waits for whom, that thread first. */
export type Deadlock = { readonly victim: number; readonly cycle: readonly string[] };

/**
 * Finds a deadlock among the blocked threads (in the order in which they blocked). A blocked thread is stuck when every
 * thread that could answer it is itself stuck, so: start by suspecting every blocked thread, and acquit whoever has an
 * answerer that is not a suspect, until nothing changes. Whoever remains is stuck, and following their waits ends in a
 * cycle. Of its members the one that blocked last is the victim: the error then passes outwards through those who wait
 * for it, and nobody is left standing.
 */
export function findDeadlock(
  blocked: ReadonlyMap<number, BlockedThread>,
  answerersOf: (target: WaitTarget, waiter: number) => Answerers,
): Deadlock | undefined {
  const answerers = new Map<number, Answerers>();
  for (const [id, at] of blocked) answerers.set(id, answerersOf(at.wait.target, id));
  const suspects = new Set(blocked.keys());
  for (let changed = true; changed; ) {
    changed = false;
    for (const id of suspects) {
      const who = answerers.get(id) as Answerers;
      if (who.live || who.anyOf.some((other) => !suspects.has(other))) {
        suspects.delete(id);
        changed = true;
      }
    }
  }
  const [first] = suspects;
  if (first === undefined) return undefined;
  const path: number[] = [];
  const next = (id: number): number | undefined => {
    const who = answerers.get(id) as Answerers;
    return who.live ? undefined : who.anyOf[0];
  };
  let at: number | undefined = first;
  while (at !== undefined && !path.includes(at)) {
    path.push(at);
    at = next(at);
  }
  // A path that ends without closing: its last member waits for something that nobody has.
  const cycle = at === undefined ? path.slice(-1) : path.slice(path.indexOf(at));
  const order = [...blocked.keys()];
  const victim = cycle.reduce((a, b) => (order.indexOf(b) > order.indexOf(a) ? b : a));
  const from = cycle.indexOf(victim);
  const told = [...cycle.slice(from), ...cycle.slice(0, from)].map((id) => {
    const { name, wait } = blocked.get(id) as BlockedThread;
    return `thread "${name}" waits for ${wait.target.label}`;
  });
  return { victim, cycle: told };
}
