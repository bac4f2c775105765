import { countImport } from "../thread/imports.ts";
import { importForTasks } from "./importing.ts";
import { ensureTypeScript } from "./typescript.ts";

/** One module, imported by this thread to find tasks in it. */
export interface Evaluation {
  /** `stuck`: a top-level await goes on and on. `failed`: it threw, or could not be loaded at all. */
  state: "running" | "stuck" | "done" | "failed";
  namespace: Readonly<Record<string, unknown>> | undefined;
  error: unknown;
  /** Fulfilled, never rejected, when it has ended or is stuck: what it has declared can be used. */
  readonly usable: Promise<void>;
  /** Fulfilled, never rejected, when it has ended. */
  readonly ended: Promise<void>;
}

/**
 * How long a top-level await may hold up its module's tasks. One that waits for what only the main thread gets (a
 * signal, a line of input) would hold them up for ever.
 */
const stuckAfterMs = 10_000;

/** Imports the module at `url`. */
export function evaluate(url: string): Evaluation {
  const loading = load(url);
  const ended = loading.then(
    (namespace) => {
      evaluation.namespace = namespace;
      evaluation.state = "done";
    },
    (error: unknown) => {
      evaluation.error = error;
      evaluation.state = "failed";
    },
  );
  const usable = new Promise<void>((resolve) => {
    const timer = setTimeout(() => {
      evaluation.state = "stuck";
      process.emitWarning(`The top level of ${url} still awaits after ${stuckAfterMs} ms. Its tasks run now.`, {
        type: "DuckWarning",
        code: "DUCK_STUCK_IMPORT",
      });
      resolve();
    }, stuckAfterMs);
    ended.then(() => {
      clearTimeout(timer);
      resolve();
    });
  });
  const evaluation: Evaluation = { state: "running", namespace: undefined, error: undefined, usable, ended };
  return evaluation;
}

async function load(url: string): Promise<Readonly<Record<string, unknown>>> {
  await ensureTypeScript(url);
  return countImport(() => importForTasks(url));
}
