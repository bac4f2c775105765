/**
 * Whose turn it is among those that could go on for ever: streams whose generators are always ready. However many there
 * are, together they hold the thread for one slice at a time; between two slices its messages are taken, so that requests
 * do not wait for a round through all of them.
 */

/** So long in one go. */
const SLICE_MS = 5;

const waiting: (() => void)[] = [];
let slice = Number.NEGATIVE_INFINITY;
let scheduled = false;

/** Undefined where there is time left in this slice; else what resolves when one has its turn. */
export function turn(now: number): Promise<void> | undefined {
  if (!scheduled) {
    // The first since the loop came round.
    scheduled = true;
    slice = now;
    setImmediate(next);
  }
  if (now - slice <= SLICE_MS) return undefined;
  return new Promise((resolve) => void waiting.push(resolve));
}

/** The loop has come round: a new slice, begun by who has waited longest. */
function next(): void {
  scheduled = false;
  const first = waiting.shift();
  if (first === undefined) return;
  scheduled = true;
  slice = performance.now();
  first();
  setImmediate(next);
}
