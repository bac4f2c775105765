/** Imports an app and the plugins' worker sides, and makes them runnable. */
import { type AppDefinition, type FetchApp, isDuckApp, isFetchApp, noApp } from "../../app/define-app.ts";
import { type PathSegment, parsePath } from "../../app/path.ts";
import type { AnyHandler, AnyRoute, RouteOptions } from "../../app/route.ts";
import type { WebSocketHandlers } from "../../app/web-socket.ts";
import { AppDefinitionError } from "../../errors.ts";
import type { RouteInfo } from "../route-info.ts";
import { readsStream } from "./reads-stream.ts";

/** A route with its code. */
export interface RunnableRoute {
  readonly info: RouteInfo;
  readonly segments: readonly PathSegment[];
  readonly options: RouteOptions;
  readonly handler: AnyHandler;
  readonly socket: WebSocketHandlers | undefined;
  readonly maxBufferedBytes: number;
  readonly hasSchemas: boolean;
  /** The most a request of it held the thread lately, in microseconds, and how many there were. */
  peakUs: number;
  samples: number;
}

export interface LoadedApp {
  readonly routes: readonly RunnableRoute[];
  readonly onError: AppDefinition["onError"];
  start(): Promise<void>;
  stop(): Promise<void>;
}

interface WorkerSide {
  onWorkerStart?(): unknown;
  onWorkerStop?(): unknown;
}

/** @throws {AppDefinitionError} when the module's default export is no app. */
export async function loadApp(url: string, plugins: readonly string[]): Promise<LoadedApp> {
  const module = (await import(url)) as { default?: unknown };
  const sides: WorkerSide[] = [];
  for (const plugin of plugins) {
    const side = (await import(plugin)) as WorkerSide & { default?: WorkerSide };
    sides.push(side.onWorkerStart === undefined && side.onWorkerStop === undefined ? (side.default ?? side) : side);
  }
  const app: unknown = module.default;
  if (isDuckApp(app)) sides.push(app);
  const routes = isDuckApp(app) ? app.routes.map(runnable) : isFetchApp(app) ? [fetchRoute(app)] : undefined;
  if (routes === undefined) throw new AppDefinitionError(noApp(app));
  return {
    routes,
    onError: isDuckApp(app) ? app.onError?.bind(app) : errorOf(app as FetchApp),
    async start() {
      for (const side of sides) await side.onWorkerStart?.();
    },
    async stop() {
      for (const side of sides.reverse()) await side.onWorkerStop?.();
    },
  };
}

function runnable(route: AnyRoute): RunnableRoute {
  const base = { segments: route.segments, peakUs: 0, samples: 0 };
  if (route.kind === "websocket") {
    const { maxMessageBytes, pingIntervalMs, maxBufferedBytes } = route.options;
    return {
      ...base,
      info: { ...BARE, method: "GET", path: route.path, kind: "websocket", maxMessageBytes, pingIntervalMs },
      options: {},
      handler: () => undefined,
      socket: route.handlers,
      maxBufferedBytes: maxBufferedBytes ?? 1024 * 1024,
      hasSchemas: false,
    };
  }
  const { options, handler } = route;
  const { params, query, headers, body } = options;
  return {
    ...base,
    info: {
      ...BARE,
      method: route.method,
      path: route.path,
      timeoutMs: options.timeoutMs,
      bodyLimitBytes: options.bodyLimitBytes,
      run: options.run ?? "pool",
      kill: options.kill ?? "auto",
      maxConcurrent: options.maxConcurrent,
      streamBody: options.streamBody ?? (options.run !== "main" && body === undefined && readsStream(handler)),
    },
    options,
    handler,
    socket: undefined,
    maxBufferedBytes: 0,
    hasSchemas: (params ?? query ?? headers ?? body) !== undefined,
  };
}

const BARE: RouteInfo = {
  method: "GET",
  path: "/",
  kind: "http",
  timeoutMs: undefined,
  bodyLimitBytes: undefined,
  run: "pool",
  kill: "auto",
  maxConcurrent: undefined,
  streamBody: false,
  maxMessageBytes: undefined,
  pingIntervalMs: undefined,
};

function errorOf(app: FetchApp): LoadedApp["onError"] {
  return typeof app.error === "function" ? (error) => app.error?.(error) : undefined;
}

function fetchRoute(app: FetchApp): RunnableRoute {
  return {
    info: { ...BARE, method: "*", path: "*", kind: "fetch", streamBody: true },
    segments: parsePath("*"),
    options: {},
    handler: (ctx) => app.fetch(Object.defineProperty(ctx.request, "ip", { get: () => ctx.ip })),
    socket: undefined,
    maxBufferedBytes: 0,
    hasSchemas: false,
    peakUs: 0,
    samples: 0,
  };
}
