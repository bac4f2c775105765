/** What waits for each signal. */
const followers = new WeakMap<AbortSignal, { readonly all: Set<() => void>; readonly tell: () => void }>();

/**
 * Calls `fn` once if the signal is aborted; what is returned calls that off. However many follow a signal, it has one
 * listener, and none when nobody does: of the eleventh Node 20 warns as of a leak.
 */
export function onAbort(signal: AbortSignal, fn: () => void): () => void {
  let followed = followers.get(signal);
  if (followed === undefined) {
    const all = new Set<() => void>();
    const tell = (): void => {
      followers.delete(signal);
      for (const one of [...all]) if (all.delete(one)) one();
    };
    followed = { all, tell };
    followers.set(signal, followed);
    signal.addEventListener("abort", tell, { once: true });
  }
  const { all, tell } = followed;
  all.add(fn);
  return () => {
    if (!all.delete(fn) || all.size > 0 || followers.get(signal)?.all !== all) return;
    followers.delete(signal);
    signal.removeEventListener("abort", tell);
  };
}
