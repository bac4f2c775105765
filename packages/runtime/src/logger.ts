/** Where duck-ts itself logs: JSON lines on stderr, by pino, unless an app gives it a logger of its own. */
import { writeSync } from "node:fs";
import { createRequire } from "node:module";
import type pino from "pino";
import { threadWide } from "./thread/shared-state.ts";

/** What duck-ts needs of a logger: four methods of pino's. */
export type RuntimeLogger = Pick<pino.Logger, "warn" | "error" | "info" | "debug">;

const state: { logger: RuntimeLogger | undefined } = threadWide("logger", () => ({ logger: undefined }));

/**
 * This thread's logger. Made at its first use: loading pino takes some 11 ms, which a thread that never logs must not
 * pay, and `require` is the one way to load it then and there, without becoming asynchronous.
 *
 * It writes to file descriptor 2 directly and synchronously. A worker's `process.stderr` goes through the main thread,
 * and so would say nothing while main blocks and lose its last words when the worker is terminated.
 */
export function logger(): RuntimeLogger {
  state.logger ??= makeLogger();
  return state.logger;
}

/** Makes duck-ts log through `replacement` in this thread; `undefined` restores its own logger. */
export function setLogger(replacement: RuntimeLogger | undefined): void {
  state.logger = replacement;
}

function makeLogger(): RuntimeLogger {
  const wanted = process.env.DUCK_LOG_LEVEL?.trim().toLowerCase() || "info";
  let load: typeof pino;
  try {
    load = createRequire(import.meta.url)("pino") as typeof pino;
  } catch {
    return makeBareLogger(); // bundled into one file and shipped without node_modules: still, nothing goes unsaid
  }
  const known = wanted === "silent" || Object.hasOwn(load.levels.values, wanted);
  const level = known ? wanted : "info";
  const made = load({ name: "duck-ts", level }, load.destination({ dest: 2, sync: true }));
  if (!known) {
    const expected = [...Object.keys(load.levels.values), "silent"];
    made.warn({ found: wanted, expected }, `DUCK_LOG_LEVEL is no level that is known. Using "info".`);
  }
  return made;
}

/** The same lines without pino, from level info up. */
function makeBareLogger(): RuntimeLogger {
  const at =
    (level: number) =>
    (first: unknown, second?: unknown): void => {
      const fields = first instanceof Error ? { err: { message: first.message, stack: first.stack } } : first;
      const line = typeof fields === "string" ? { msg: fields } : { ...(fields as object), msg: second };
      try {
        writeSync(2, `${JSON.stringify({ level, time: Date.now(), pid: process.pid, name: "duck-ts", ...line })}\n`);
      } catch {
        // a cycle, or stderr is gone: logging must not be what breaks the program
      }
    };
  return { debug: () => {}, info: at(30), warn: at(40), error: at(50) } as RuntimeLogger;
}
