import Piscina from "piscina";

/** One worker, `concurrent` tasks on it at a time. */
export function startPiscina(concurrent) {
  const filename = new URL("functions.mjs", import.meta.url).href;
  const pool = new Piscina({ filename, minThreads: 1, maxThreads: 1, concurrentTasksPerWorker: concurrent });
  return { call: () => pool.run(undefined, { name: "noop" }), close: () => pool.destroy() };
}
