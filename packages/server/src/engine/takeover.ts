/**
 * One version of the app takes the place of another, thread by thread: a fresh one has started, an old one finishes what it
 * has and ends, the next fresh one starts. So there is one thread more than usual at most, and never one less to serve.
 */
import type { Generation } from "./generation.ts";

/**
 * `next` has its first worker. Resolves when it has all, and one of `before` is left. An old worker may take `drainTimeoutMs`
 * to finish. @throws {WorkerStartError} when the fresh ones cannot start.
 */
export async function takeOver(
  before: Generation,
  next: Generation,
  workers: number,
  drainTimeoutMs: number,
  goesOn: () => boolean,
): Promise<void> {
  for (let fresh = 1; fresh < workers && goesOn(); fresh++) {
    await before.shrinkTo(workers - fresh, drainTimeoutMs);
    if (goesOn()) await next.growTo(fresh + 1);
  }
}
