import { fork } from "node:child_process";
import { once } from "node:events";

const START_MS = 20_000;
const STOP_MS = 3_000;

/**
 * Starts a module in a process of its own and waits for the first thing it says. It ends with this process too, since
 * each of them leaves when its channel closes.
 *
 * @param module URL of the module, which calls `serve` of ./served.mjs
 */
export async function startChild(module, { env = {}, args = [], execArgv = [] } = {}) {
  const child = fork(module, args, {
    env: { ...process.env, ...env },
    execArgv,
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const ended = once(child, "exit");
  const said = await first(child, ended, `${module.pathname ?? module} did not start`);
  return {
    ...said,
    /** Asks it something; the answer is what its `serve` returned for the question. */
    async ask(question) {
      child.send(question);
      return first(child, ended, `${module.pathname ?? module} did not answer`);
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGTERM");
      const force = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
      await ended;
      clearTimeout(force);
    },
  };
}

/** Starts several, gives them to `use`, and stops all of them whatever comes. */
export async function withChildren(children, use) {
  const started = {};
  try {
    for (const [name, { module, ...options }] of Object.entries(children))
      started[name] = await startChild(module, options);
    return await use(started);
  } finally {
    await Promise.all(Object.values(started).map((child) => child.stop()));
  }
}

async function first(child, ended, otherwise) {
  const timer = new AbortController();
  const late = setTimeout(() => timer.abort(), START_MS);
  try {
    const told = once(child, "message", { signal: timer.signal }).catch((cause) => {
      throw new Error(`${otherwise} within ${START_MS} ms`, { cause });
    });
    const gone = ended.then(([code, signal]) => {
      throw new Error(`${otherwise}: it ended with ${signal ?? code}`);
    });
    const [message] = await Promise.race([told, gone]);
    return message;
  } finally {
    clearTimeout(late);
    timer.abort();
  }
}
