/** Stands in for `@duck-ts/managers/internal` until that is here: the same interface over bare worker threads. */
import { MessageChannel, Worker } from "node:worker_threads";
import type { HostedPool, HostedWorker, HostPoolOptions, WorkerExit } from "./host-pool.ts";

const BOOT = `
const { workerData, parentPort } = require("node:worker_threads");
import(workerData.module).then(async (module) => {
  const running = await module.start({ port: workerData.port, data: workerData.data, thread: workerData.thread });
  parentPort.on("message", async () => {
    await running?.stop?.();
    process.exit(0);
  });
  parentPort.postMessage("ready");
});
`;

let threads = 0;

export function hostPool(options: HostPoolOptions): HostedPool {
  const workers = new Set<Worker>();
  return {
    manager: undefined,
    get size(): number {
      return workers.size;
    },
    spawn(): void {
      const { port1, port2 } = new MessageChannel();
      const thread = { id: ++threads, name: `${options.threadNamePrefix}-${threads}` };
      const worker = new Worker(BOOT, {
        eval: true,
        name: thread.name,
        workerData: { module: options.workerModule, port: port2, data: options.workerData, thread },
        transferList: [port2],
        ...(options.resourceLimits === undefined ? {} : { resourceLimits: options.resourceLimits }),
      });
      workers.add(worker);
      let hosted: HostedWorker | undefined;
      let error: Error | undefined;
      let terminated = false;
      let gone = false;
      const exit = (reason: WorkerExit["reason"], exitCode: number | undefined): void => {
        if (gone) return;
        gone = true;
        workers.delete(worker);
        setImmediate(() => options.onExit(hosted, { reason, exitCode, ...(error === undefined ? {} : { error }) }));
      };
      worker.once("message", () => {
        hosted = {
          thread,
          port: port1,
          terminate(): void {
            terminated = true;
            void worker.terminate();
            exit("terminated", undefined);
          },
          retire(): void {
            worker.postMessage("stop");
          },
        };
        options.onReady(hosted);
      });
      worker.on("error", (cause: Error & { code?: string }) => {
        error = cause;
        if (cause.code === "ERR_WORKER_OUT_OF_MEMORY") exit("out-of-memory", undefined);
      });
      worker.on("exit", (code) => {
        port1.close();
        exit(terminated ? "terminated" : error === undefined ? "exit" : "error", code);
      });
    },
    async close({ timeoutMs }): Promise<void> {
      const timer = setTimeout(() => {
        for (const worker of workers) void worker.terminate();
      }, timeoutMs);
      await Promise.all(
        [...workers].map((worker) => {
          worker.postMessage("stop");
          return new Promise((resolve) => worker.once("exit", resolve));
        }),
      );
      clearTimeout(timer);
    },
  };
}
