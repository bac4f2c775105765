import { errorMonitor } from "node:events";
import type { Worker } from "node:worker_threads";
import { existingLine, line } from "../supervisor/line.ts";
import { currentThread } from "./identity.ts";
import { threadWide } from "./shared-state.ts";

/**
 * Watches the Workers that other code makes from this thread: they are part of the lineage, so their end must be known,
 * also when they are terminated and cannot say so themselves. A root makes sure that there is a supervisor for them.
 */
export function watchForeignWorkers(): void {
  if (currentThread().kind === "supervisor") return; // it watches what it makes by itself
  threadWide("watching-workers", () => {
    process.on("worker", (worker: Worker) => {
      const id = worker.threadId;
      if (id < 0) return; // already ended
      line();
      let reason: "exit" | "error" | "out-of-memory" = "exit";
      worker.once("exit", (exitCode) => {
        existingLine()?.post({ t: "gone", id, exit: { reason, exitCode } });
      });
      // errorMonitor only looks: an application without an error listener still gets its uncaught error.
      worker.once(errorMonitor, (error: { code?: string }) => {
        reason = error?.code === "ERR_WORKER_OUT_OF_MEMORY" ? "out-of-memory" : "error";
      });
    });
    return true;
  });
}
