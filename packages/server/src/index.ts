/**
 * The public surface. Request threads import it too, through the app: nothing that only main needs is loaded from here.
 */
export {
  ChannelClosed,
  type ChannelGetOptions,
  type ChannelOptions,
  ChannelTimeout,
  type ClassOptions,
  type Entrypoint,
  EntrypointNotAllowed,
  type EntrypointOptions,
  type ExecutorStatistics,
  entrypoint,
  explainManager,
  FromThreadChannel,
  formatManagerTree,
  getOrCreateLoopManager,
  getOrCreateThreadManager,
  type InThread,
  type IterableOptions,
  type IterableSource,
  IteratorWrapper,
  IteratorWrapperSeparate,
  inThread,
  type LoopHandle,
  LoopManager,
  type LoopStartOptions,
  type LoopStats,
  ManagerAlreadyRunning,
  type ManagerId,
  type ManagerInfo,
  type ManagerNode,
  ManagerNotFound,
  ManagerNotRunning,
  type ManagerResolution,
  managerTree,
  onLoop,
  type Percentiles,
  type PoolHandle,
  type PoolStartOptions,
  type PoolStats,
  QueueFullError,
  type ResolveOptions,
  ReviveHookNeeded,
  registerClass,
  type SeparateOptions,
  type StopOptions,
  type StopReport,
  type SubmitOptions,
  syncAwait,
  syncWaitCoroutine,
  type TaskCounts,
  type TaskExecutor,
  type Threaded,
  type ThreadedFunction,
  type ThreadedIterable,
  type ThreadedIterableFunction,
  type ThreadedIterableSeparate,
  ThreadedIterator,
  type ThreadedMethod,
  type ThreadedOptions,
  type ThreadedSeparate,
  type ThreadNode,
  ThreadPoolExecutor,
  ThreadPoolManager,
  threaded,
  threadedIterable,
  threadedIterableSeparate,
  threadedSeparate,
  UnknownAsyncTaskError,
  UnknownTaskError,
  UsedWhileImportingError,
} from "@duck-ts/managers";
export {
  asyncToSyncFuture,
  BlockingNotAllowedError,
  type ContextVar,
  type CrashReason,
  contextVar,
  currentThread,
  DataNotCloneableError,
  DeadlockError,
  DuckError,
  FutureTimeoutError,
  getParentThread,
  type ImportedTasks,
  importTasks,
  NotATaskError,
  registerErrorClass,
  SyncFuture,
  setLogger,
  type Task,
  type TaskCall,
  TaskCancelledError,
  TaskDeclarationError,
  TaskFuture,
  TaskNotFoundError,
  type TaskOptions,
  TaskTimeoutError,
  type ThreadInfo,
  type ThreadKind,
  task,
  taskSignal,
  threadLineage,
  transfer,
  WorkerCrashedError,
} from "@duck-ts/runtime";

import type { DuckConfig } from "./config/types.ts";
import type { CreateServerOptions, DuckServer } from "./http/create-server.ts";

export type { Context, ContextLog } from "./app/context.ts";
export { type AppDefinition, type DuckApp, defineApp, type FetchApp } from "./app/define-app.ts";
export { type FileBody, type FileOptions, file } from "./app/file.ts";
export type { PathParams } from "./app/path.ts";
export {
  type CookieOptions,
  type HeaderValue,
  type Html,
  html,
  Reply,
  type ReplyHeaders,
  redirect,
  reply,
} from "./app/reply.ts";
export { currentRequestId } from "./app/request-id.ts";
export {
  type AnyRoute,
  all,
  type DefineRoute,
  del,
  get,
  type Handler,
  type HandlerResult,
  head,
  options,
  patch,
  post,
  put,
  type Route,
  type RouteMethod,
  type RouteOptions,
  route,
  type WebSocketRoute,
} from "./app/route.ts";
export type { RawHeaders, RawQuery, RouteSchemas, Schema } from "./app/schema.ts";
export { type ServerSentEvent, sse } from "./app/sse.ts";
export type { ValidationIssue } from "./app/validation.ts";
export { type DuckWebSocket, type WebSocketHandlers, type WebSocketOptions, ws } from "./app/web-socket.ts";
export { AppLoadError } from "./app-loader/app-load-error.ts";
export { ConfigError } from "./config/config-error.ts";
export { defineConfig, definePlugin } from "./config/define.ts";
export type {
  DuckConfig,
  DuckPlugin,
  HttpsSettings,
  LogLevel,
  LogSettings,
  ManagementSettings,
  PluginWorkerModule,
  RequestHandlingSettings,
  ResolvedConfig,
  ServerSettings,
} from "./config/types.ts";
export type { EngineStats, RestartReason, RouteStats } from "./engine/stats.ts";
export {
  AppDefinitionError,
  HttpError,
  InvalidReplyError,
  RouteTableMismatchError,
  ServerStateError,
  WorkerStartError,
} from "./errors.ts";
export type { CloseReport, CreateServerOptions, DuckServer, ServerStats } from "./http/create-server.ts";
export type { MainLoopStats } from "./http/main-loop.ts";

/**
 * Makes a server: checks the configuration, builds the app, starts its first request thread, registers the plugins. It
 * does not listen yet. Call it on the main thread.
 * @throws {ConfigError} for a wrong setting, {AppLoadError} for an app that cannot be built, {WorkerStartError} for one
 * that cannot start, {ServerStateError} in a request thread.
 */
export async function createServer(config: DuckConfig, options?: CreateServerOptions): Promise<DuckServer> {
  const { createServer: create } = await import("./http/create-server.ts");
  return create(config, options);
}
