import { fork } from "node:child_process";
import { once } from "node:events";

/** No bench takes longer than this; what hangs is ended and reported. */
const LIMIT_MS = 240_000;

export async function benchNames(part) {
  const { names } = await inProcess({ part }, LIMIT_MS);
  return names;
}

/** @returns `{ figures }`, or `{ error }` where the bench failed or did not end */
export async function runBench(part, bench, quick) {
  try {
    return await inProcess({ part, bench, quick }, LIMIT_MS);
  } catch (error) {
    return { error: error.message };
  }
}

async function inProcess(order, limitMs) {
  const child = fork(new URL("part-process.mjs", import.meta.url), { execArgv: ["--expose-gc"] });
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
