import type { Wait, WaitTarget } from "../wire/messages.ts";

/**
 * Who could end a wait: `anyOf` these threads, or somebody who certainly still can (`live`: a worker that is free, may
 * still be started, or a thread outside our sight).
 */
export type Answerers = { readonly live: true } | { readonly live: false; readonly anyOf: readonly number[] };

/** A thread that stands still. */
export type BlockedThread = { readonly thread: number; readonly name: string; readonly wait: Wait };

/**
 * Finds whether `thread`'s blocking wait can still end. A blocked thread is stuck when every thread that could answer
 * it is itself stuck, so: start by suspecting every blocked thread, and acquit whoever has an answerer that is not a
 * suspect, until nothing changes. What remains is a deadlock, and the chain of waits from `thread` names it.
 */
export function findDeadlock(
  thread: number,
  blocked: ReadonlyMap<number, BlockedThread>,
  answerersOf: (target: WaitTarget, waiter: number) => Answerers,
): readonly string[] | undefined {
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
  if (!suspects.has(thread)) return undefined;
  const cycle: string[] = [];
  const seen = new Set<number>();
  for (let at: number | undefined = thread; at !== undefined && !seen.has(at); ) {
    seen.add(at);
    const { name, wait } = blocked.get(at) as BlockedThread;
    cycle.push(`thread "${name}" waits for ${wait.target.label}`);
    const who: Answerers | undefined = answerers.get(at);
    at = who === undefined || who.live ? undefined : (who.anyOf.find((id) => !seen.has(id)) ?? who.anyOf[0]);
  }
  return cycle;
}
