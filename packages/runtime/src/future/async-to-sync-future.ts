import { TaskCancelledError } from "../errors.ts";
import { futureInternals, SyncFuture } from "./sync-future.ts";

/**
 * A promise as a future. It settles with the promise. It can be passed to another thread and blocked on there; blocking
 * on it in the thread of the promise is a {@link DeadlockError}, since the promise needs that thread's event loop.
 *
 * The idea is Duck's `async_to_sync_future`.
 */
export function asyncToSyncFuture<T>(promise: PromiseLike<T>): SyncFuture<T> {
  if (promise instanceof SyncFuture) return promise as SyncFuture<T>;
  if (typeof (promise as { then?: unknown } | null)?.then !== "function") {
    throw new TypeError(
      `asyncToSyncFuture: expected a promise, got ${promise === null ? "null" : typeof promise}. Call the async function and pass what it returns.`,
    );
  }
  const future = new SyncFuture<T>();
  futureInternals.bindToOwnLoop(future);
  // By way of a promise of Node's, which copes with a then() that throws or that calls back twice.
  Promise.resolve(promise).then(
    (value) => future.setResult(value),
    (thrown: unknown) =>
      futureInternals.settle(future, {
        ok: false,
        thrown,
        cancelled: thrown instanceof TaskCancelledError || (thrown as { name?: unknown } | null)?.name === "AbortError",
      }),
  );
  return future;
}
