import { UsedWhileImportingError } from "./errors.ts";

/**
 * A one-file script declares its tasks and then calls `main()` without awaiting it. Imported in a worker, only to find
 * a task, `main()` stops at its first use of a manager, and nobody handles that rejection. It must not end the worker;
 * every other unhandled rejection does, as always.
 */
export function tolerateScripts(): void {
  process.on("unhandledRejection", (reason) => {
    if (!(reason instanceof UsedWhileImportingError)) throw reason;
  });
}
