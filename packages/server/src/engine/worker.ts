/** What runs in each request thread: imports the app, says what it has, and serves what main sends. */
import type { MessagePort } from "node:worker_threads";
import { setLogger } from "@duck-ts/runtime";
import { forwardConsole } from "../logs/forward-console.ts";
import { createWorkerLogger } from "../logs/worker-logger.ts";
import { Slots } from "./slots.ts";
import type { FromWorker, ToWorker, WorkerData } from "./wire.ts";
import { loadApp } from "./worker/load-app.ts";
import { RequestHost } from "./worker/request-host.ts";
import { Vitals } from "./worker/vitals.ts";

/** Starts a request thread. Called once in each, by the thread's host; resolves when it may be sent requests. */
export async function start(context: {
  readonly port: MessagePort;
  readonly data: WorkerData;
  readonly thread: { readonly id: number; readonly name: string };
}): Promise<{ stop(): Promise<void> }> {
  const { port, data, thread } = context;
  const post = (message: FromWorker, transfer?: readonly ArrayBuffer[]): void => {
    port.postMessage(message, transfer as ArrayBuffer[] | undefined);
  };
  const log = createWorkerLogger({
    level: data.logLevel,
    post: (message) => post({ type: "log", message }),
    bindings: { thread: thread.name },
  });
  // What the runtime and the managers log in this thread goes the same way.
  setLogger(log as never);
  const app = await loadApp(data.app, data.plugins);
  await app.start();
  // Not before: nobody listens to the port until the thread is ready, and what a failing start has printed must be seen.
  forwardConsole((message) => post({ type: "log", message }));
  const slots = new Slots();
  const host = new RequestHost({
    routes: app.routes,
    onError: app.onError,
    development: data.development,
    idPrefix: data.idPrefix,
    bodyLimitBytes: data.defaults.bodyLimitBytes,
    log,
    slots,
    post,
  });
  const vitals = new Vitals(post);
  port.on("message", (message: ToWorker) => {
    host.receive(message);
    vitals.beat();
  });
  post({ type: "hello", routes: app.routes.map((route) => route.info), slots: slots.buffer });
  return {
    async stop(): Promise<void> {
      vitals.stop();
      await app.stop();
      const { stopTimeoutMs } = data;
      // Not before: a thread starts from few files.
      const { stopOwnManagers } = await import("@duck-ts/managers/internal");
      const given = await stopOwnManagers({ timeoutMs: stopTimeoutMs });
      if (given === 0) return;
      log.warn(
        { tasks: given },
        `Tasks of managers were given up: not finished ${stopTimeoutMs} ms after the thread that owns them had ended.`,
      );
    },
  };
}
