/** What the other packages of duck-ts build on. No part of the public surface: it changes without notice. */

export { captureContext, runWithContext } from "./context/context-var.ts";
export { nameErrorClasses } from "./errors.ts";
export {
  adoptBell,
  blockingForbidden,
  blockUntil,
  type Doorbell,
  drainAnswers,
  drainWhileBlocked,
  forbidBlocking,
  isBlocked,
  ownDoorbell,
  ring,
  sendBeforeBlocking,
} from "./future/doorbell.ts";
export { futureInternals, type Outcome } from "./future/sync-future.ts";
export { openTask, openTasks, type TaskFutureOptions } from "./future/task-future.ts";
export { beginWait, REPORT_AFTER_MS } from "./future/wait-report.ts";
export * from "./index.ts";
export { logger } from "./logger.ts";
export { entryUrl } from "./supervisor/launch.ts";
export { adoptLine, existingLine, type Line, line, lineHandlers } from "./supervisor/line.ts";
export type { SupervisorApi, SupervisorService, ThreadRecord } from "./supervisor/supervisor.ts";
export type { Answerers } from "./supervisor/waits.ts";
export { findTask, lookupTask } from "./task/find-task.ts";
export { isImportingTasks } from "./task/importing.ts";
export { declareTask, isTask, isTaskCall, taskFunction, taskRefOf, toTaskCall } from "./task/task.ts";
export type { TaskRef } from "./task/task-ref.ts";
export { containedLimits } from "./thread/heap-limits.ts";
export {
  adoptIdentity,
  type CarriedIdentity,
  DEFAULT_POOL_STATE,
  lineageLinks,
  REGISTRY_VERSION,
  type RootShared,
  rootShared,
  type ThreadLink,
  threadFromLinks,
} from "./thread/identity.ts";
export { isUp, newThreadBell, onceImported } from "./thread/imports.ts";
export { threadWide } from "./thread/shared-state.ts";
export { loaderFlags, spawnThread, watchExit } from "./thread/spawn.ts";
export { type AnswerRing, newAnswerRing } from "./wire/answer-ring.ts";
export { explainNotCloneable } from "./wire/clone-path.ts";
export { decodeThrown, type EncodedThrown, encodeError } from "./wire/error-codec.ts";
export type { FromWorker, PostToWorker, RunMessage, ThreadExit, Wait, WaitTarget } from "./wire/messages.ts";
export {
  decodeValue,
  encodeValue,
  registerSpecialKind,
  type SpecialKind,
  type SpecialSlot,
} from "./wire/value-codec.ts";
export { awaited } from "./worker/awaited.ts";
export { type EncodedTask, encodeTask, explainTask } from "./worker/encoded-task.ts";
export type { EntryData } from "./worker/entry.ts";
export { Host, type HostEvents } from "./worker/host.ts";
export { Inbox } from "./worker/inbox.ts";
export type { Job } from "./worker/job.ts";
export { Submitter } from "./worker/submitter.ts";
export { currentTaskId, runInTask, TaskContext } from "./worker/task-context.ts";
