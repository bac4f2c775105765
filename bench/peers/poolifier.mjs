import { fileURLToPath } from "node:url";
import { FixedThreadPool } from "poolifier";

/** One worker; poolifier hands it every task at once. */
export function startPoolifier() {
  const script = fileURLToPath(new URL("poolifier-worker.mjs", import.meta.url));
  const pool = new FixedThreadPool(1, script);
  return { call: () => pool.execute(), close: () => pool.destroy() };
}
