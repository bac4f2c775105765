import { fork, spawnSync } from "node:child_process";
import { once } from "node:events";

/** No bench takes longer than this; what hangs is ended and reported. */
const LIMIT_MS = 240_000;

/**
 * Where taskset is installed a bench that asks for it has one core for all its threads: there a hop costs what code it
 * takes, and not what the scheduler makes of two threads and two cores.
 */
export const canPin = spawnSync("taskset", ["-c", "0", "true"]).status === 0;

/** @returns `[{ name, onOneCore }]` */
export async function benchesOf(part) {
  const { benches } = await inProcess({ part }, false, LIMIT_MS);
  return benches;
}

/** @returns `{ figures }`, or `{ error }` where the bench failed or did not end */
export async function runBench(part, { name, onOneCore }, quick) {
  try {
    return await inProcess({ part, bench: name, quick }, onOneCore && canPin, LIMIT_MS);
  } catch (error) {
    return { error: error.message };
  }
}

async function inProcess(order, pinned, limitMs) {
  const node = pinned
    ? { execPath: "taskset", execArgv: ["-c", "0", process.execPath, "--expose-gc"] }
    : { execArgv: ["--expose-gc"] };
  const child = fork(new URL("part-process.mjs", import.meta.url), node);
  const ended = once(child, "exit");
  const waiting = new AbortController();
  const limit = setTimeout(() => waiting.abort(new Error(`it had not ended after ${limitMs / 1000} s`)), limitMs);
  try {
    child.send(order);
    const told = once(child, "message", { signal: waiting.signal }).catch((error) => {
      throw error.cause ?? error;
    });
    const gone = ended.then(([code, signal]) => {
      throw new Error(`its process ended with ${signal ?? code}`);
    });
    const [message] = await Promise.race([told, gone]);
    return message;
  } finally {
    clearTimeout(limit);
    waiting.abort();
    // What it had started leaves with it: their channels close.
    child.kill("SIGKILL");
    await ended;
  }
}
