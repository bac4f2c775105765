/**
 * The one file that every thread made by duck-ts starts with. It learns who it is and takes up its line before any
 * other code runs; then it hands over to the module that the thread was made for.
 */
import { type MessagePort, workerData } from "node:worker_threads";
import { adoptBell } from "../future/doorbell.ts";
import { adoptLine } from "../supervisor/line.ts";
import { watchForeignWorkers } from "../thread/foreign.ts";
import { isUp } from "../thread/imports.ts";

/** What `spawnThread` is given as `data` for this entry. */
export type EntryData = {
  readonly line: MessagePort;
  readonly bell: Int32Array;
  readonly module: string;
  readonly data: unknown;
};

const { line, bell, module, data } = workerData as EntryData;
adoptBell(bell);
adoptLine(line);
watchForeignWorkers();
// No top-level await: where a thread is terminated in the moment in which it begins to evaluate a module that has one, V8
// aborts the process (`ExecuteAsyncModule`, "Check failed: (location_) != nullptr"; seen once in thousands on Node 20.20).
(import(module) as Promise<{ start(data: unknown): void | Promise<void> }>)
  .then(({ start }) => start(data))
  .finally(isUp)
  .catch((error: unknown) => {
    setImmediate(() => {
      throw error; // as what a module throws while it is evaluated
    });
  });
