export { type ContextVar, contextVar } from "./context/context-var.ts";
export {
  BlockingNotAllowedError,
  type CrashReason,
  DataNotCloneableError,
  DeadlockError,
  DuckError,
  FutureTimeoutError,
  NotATaskError,
  TaskCancelledError,
  TaskDeclarationError,
  TaskNotFoundError,
  TaskTimeoutError,
  WorkerCrashedError,
} from "./errors.ts";
export { asyncToSyncFuture } from "./future/async-to-sync-future.ts";
export { SyncFuture } from "./future/sync-future.ts";
export { TaskFuture } from "./future/task-future.ts";
export { setLogger } from "./logger.ts";
export { type ImportedTasks, importTasks } from "./task/import-tasks.ts";
export { type Task, type TaskCall, type TaskOptions, task } from "./task/task.ts";
export { currentThread, getParentThread, type ThreadInfo, type ThreadKind, threadLineage } from "./thread/identity.ts";
export { registerErrorClass } from "./wire/error-classes.ts";
export { taskSignal } from "./worker/task-context.ts";
export { transfer } from "./worker/transfer.ts";

import "./future/show-future.ts";
import "./thread/on-load.ts";
