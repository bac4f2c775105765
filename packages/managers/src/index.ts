export { ManagerAlreadyRunning, ManagerNotFound, ManagerNotRunning, QueueFullError, UnknownAsyncTaskError, UnknownTaskError, UsedWhileImportingError } from "./errors.ts";
export { type LoopHandle, LoopManager } from "./loop-manager.ts";
export type { LoopStartOptions, PoolStartOptions, ResolveOptions, StopOptions, SubmitOptions } from "./options.ts";
export type { ManagerId, StopReport } from "./protocol.ts";
export type { ManagerInfo } from "./registry.ts";
export { explainManager, getOrCreateLoopManager, getOrCreateThreadManager, type ManagerResolution } from "./resolver.ts";
export type { LoopStats, Percentiles, PoolStats, TaskCounts } from "./stats.ts";
export { type PoolHandle, ThreadPoolManager } from "./thread-pool-manager.ts";
export { formatManagerTree, type ManagerNode, managerTree, type ThreadNode } from "./tree.ts";
