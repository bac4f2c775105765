export { type ContextVar, contextVar } from "@duck-ts/runtime";
export {
  ChannelClosed,
  ChannelTimeout,
  EntrypointNotAllowed,
  ManagerAlreadyRunning,
  ManagerNotFound,
  ManagerNotRunning,
  QueueFullError,
  ReviveHookNeeded,
  UnknownAsyncTaskError,
  UnknownTaskError,
  UsedWhileImportingError,
} from "./errors.ts";
export { type LoopHandle, LoopManager } from "./loop-manager.ts";
export type { LoopStartOptions, PoolStartOptions, ResolveOptions, StopOptions, SubmitOptions } from "./options.ts";
export type { ManagerId, StopReport } from "./protocol.ts";
export type { ManagerInfo } from "./registry.ts";
export {
  explainManager,
  getOrCreateLoopManager,
  getOrCreateThreadManager,
  type ManagerResolution,
} from "./resolver.ts";
export type { LoopStats, Percentiles, PoolStats, TaskCounts } from "./stats.ts";
export { type PoolHandle, ThreadPoolManager } from "./thread-pool-manager.ts";
export type {
  Threaded,
  ThreadedFunction,
  ThreadedIterable,
  ThreadedIterableFunction,
  ThreadedIterableSeparate,
  ThreadedSeparate,
} from "./toolkit/declaration.ts";
export { type Entrypoint, type EntrypointOptions, entrypoint } from "./toolkit/entrypoint.ts";
export type { SeparateOptions, TaskExecutor, ThreadedOptions } from "./toolkit/executor.ts";
export { type ChannelGetOptions, type ChannelOptions, FromThreadChannel } from "./toolkit/from-thread-channel.ts";
export { type InThread, inThread } from "./toolkit/in-thread.ts";
export { type IterableSource, IteratorWrapper, IteratorWrapperSeparate } from "./toolkit/iterator-wrapper.ts";
export type { ThreadedMethod } from "./toolkit/method-decorator.ts";
export { type ClassOptions, registerClass } from "./toolkit/registered-classes.ts";
export { onLoop, syncAwait, syncWaitCoroutine } from "./toolkit/sync-await.ts";
export { type ExecutorStatistics, ThreadPoolExecutor } from "./toolkit/thread-pool-executor.ts";
export { threaded } from "./toolkit/threaded.ts";
export { threadedIterable, threadedIterableSeparate } from "./toolkit/threaded-iterable.ts";
export { type IterableOptions, ThreadedIterator } from "./toolkit/threaded-iterator.ts";
export { threadedSeparate } from "./toolkit/threaded-separate.ts";
export { formatManagerTree, type ManagerNode, managerTree, type ThreadNode } from "./tree.ts";

import "./passed-manager.ts";
