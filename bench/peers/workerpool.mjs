import { fileURLToPath } from "node:url";
import workerpool from "workerpool";

/** One worker; workerpool gives it one task at a time. */
export function startWorkerpool() {
  const script = fileURLToPath(new URL("workerpool-worker.mjs", import.meta.url));
  const pool = workerpool.pool(script, { minWorkers: 1, maxWorkers: 1, workerType: "thread" });
  return { call: () => pool.exec("noop"), close: () => pool.terminate() };
}
