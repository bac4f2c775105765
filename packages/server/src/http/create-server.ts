/** The server: configuration, app, engine and Fastify put together. */
import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { managerTree, type ThreadNode } from "@duck-ts/managers";
import { hostPool as defaultHostPool } from "@duck-ts/managers/internal";
import { currentThread, setLogger } from "@duck-ts/runtime";
import { forbidBlocking } from "@duck-ts/runtime/internal";
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from "fastify";
import type { Logger } from "pino";
import { prepareApp } from "../app-loader/index.ts";
import { type DuckConfig, type ResolvedConfig, resolveConfig } from "../config/index.ts";
import { Engine, type EngineApp } from "../engine/engine.ts";
import type { HostPool } from "../engine/host-pool.ts";
import type { EngineStats } from "../engine/stats.ts";
import { ServerStateError } from "../errors.ts";
import { createLogger, type LogStream, receiveLogMessage } from "../logs/index.ts";
import {
  createRequestMetrics,
  listenForManagement,
  type ManagementListener,
  managementMethods,
  managementPlugin,
} from "../management/index.ts";
import { workerModule } from "../worker-module.ts";
import { accessLog } from "./access-log.ts";
import { bind } from "./bind.ts";
import { ClientSockets } from "./client-sockets.ts";
import { closeServer } from "./close-server.ts";
import { createFastifyApp, type FastifyApp } from "./fastify-app.ts";
import { MainLoop, type MainLoopStats } from "./main-loop.ts";
import { RequestGate } from "./request-gate.ts";
import { attachSockets } from "./socket-upgrade.ts";
import { forwardedReader } from "./trust-proxy.ts";

/** The app's top level and `onWorkerStart` are anybody's code: where they never end, neither would the start. */
const START_TIMEOUT_MS = 60_000;

/** What `createServer` takes beside the configuration. */
export interface CreateServerOptions {
  /** The folder that relative paths in the configuration start from. Default: the current one. */
  readonly root?: string | undefined;
  /** Where log lines go. Default: standard output. */
  readonly logStream?: LogStream | undefined;
  /** A configuration that is resolved already, as the command has it; `config` is then not looked at. */
  readonly resolved?: ResolvedConfig;
  /** @internal Another source of threads, for tests. */
  readonly hostPool?: HostPool;
  /** @internal How long a start may take; default 60000. */
  readonly startTimeoutMs?: number | undefined;
}

/** What a shutdown came to. */
export interface CloseReport {
  /** Requests or threads had to be cut off at `shutdownTimeoutMs`. */
  readonly forced: boolean;
}

/** A snapshot of a server; cheap, never asks a worker anything. */
export interface ServerStats extends EngineStats {
  readonly mainLoop: MainLoopStats;
}

/** A server, made by `createServer()`. */
export interface DuckServer {
  /** Starts to accept connections. @returns the URL it can be reached at. @throws {ServerStateError} when it does already, or is closed. */
  listen(): Promise<string>;
  /** Where it can be reached; undefined before `listen()`. */
  readonly url: string | undefined;
  /** Where the management paths are, once it listens, when `management.expose` gives them a listener of their own. */
  readonly managementUrl: string | undefined;
  /** Stops accepting, finishes what runs, ends the threads; at `shutdownTimeoutMs` by force. May be called again. */
  close(): Promise<CloseReport>;
  /** Sends a request through the whole server without a socket. */
  inject(request: InjectOptions | string): Promise<LightMyRequestResponse>;
  /** Builds the app again and replaces all threads, dropping no request. Where the new one cannot start, the old goes on. */
  reload(): Promise<void>;
  /** What the engine counts, and how main fares, now. */
  stats(): ServerStats;
  /** Every thread of the process and the managers it owns. */
  managers(): Promise<ThreadNode>;
  /** The configuration with all its defaults. */
  readonly config: ResolvedConfig;
  readonly log: Logger;
  readonly fastify: FastifyInstance;
}

/**
 * Makes a server: builds the app, starts its first request thread, registers the plugins. It does not listen yet.
 * @throws {ConfigError} for a wrong setting, {AppLoadError} for an app that cannot be built, {WorkerStartError} for one
 * that cannot start, {ServerStateError} in a request thread.
 */
export async function createServer(config: DuckConfig, options: CreateServerOptions = {}): Promise<DuckServer> {
  refuseRequestThread();
  const resolved =
    options.resolved ??
    // PORT and HOST are the command's; what is in `config` stands.
    resolveConfig(config, { root: options.root, env: { NODE_ENV: process.env.NODE_ENV } });
  const logger = await createLogger(resolved.log, options.logStream);
  const { requestHandling, server: settings } = resolved;
  setLogger(logger);
  const engine = new Engine({
    hostPool: options.hostPool ?? defaultHostPool,
    workerModule: workerModule(),
    ...requestHandling,
    startTimeoutMs: options.startTimeoutMs ?? START_TIMEOUT_MS,
    bodyLimitBytes: settings.bodyLimitBytes,
    workerData: {
      development: resolved.development,
      logLevel: resolved.log.level,
      idPrefix: `${randomBytes(6).toString("base64url")}-`,
      stopTimeoutMs: settings.shutdownTimeoutMs,
      defaults: { timeoutMs: requestHandling.timeoutMs, bodyLimitBytes: settings.bodyLimitBytes },
    },
    log: logger,
    receiveLog: (message) => receiveLogMessage(logger, message),
  });
  const started = engine.start(await buildApp(resolved));
  try {
    return await assemble(resolved, logger, engine, started);
  } catch (error) {
    await started.catch(() => undefined);
    await engine.close(0).catch(() => undefined);
    throw error;
  }
}

/** A program that serves itself as the app would make a server in each of its request threads, and these in theirs. */
function refuseRequestThread(): void {
  const { kind, name } = currentThread();
  if (kind !== "request") return;
  throw new ServerStateError(
    `createServer() was called in "${name}", a request thread of a server. Each request thread imports the app's module: ` +
      'make the server in another module than the app, or only where currentThread().kind is not "request".',
  );
}

async function buildApp(config: ResolvedConfig): Promise<EngineApp> {
  const pluginWorkers = config.plugins.flatMap((plugin) => (plugin.worker === undefined ? [] : [plugin.worker]));
  const prepared = await prepareApp({ root: config.root, app: config.app, pluginWorkers });
  return { app: prepared.url, plugins: prepared.pluginWorkers };
}

/** Builds Fastify and lets the plugins at it while the first request thread starts. */
async function assemble(
  config: ResolvedConfig,
  logger: Logger,
  engine: Engine,
  started: Promise<void>,
): Promise<DuckServer> {
  started.catch(() => undefined);
  const forwarded = forwardedReader(config.server.trustProxy);
  const gate = new RequestGate({ engine, forwarded, ...config.server });
  const newId = (request: IncomingMessage): string => {
    const id = gate.idOf(request);
    return typeof id === "string" ? id : engine.idOfNumber(id);
  };
  const metrics = createRequestMetrics();
  const app: FastifyApp = createFastifyApp({
    config,
    logger,
    gate,
    allowed: (request) =>
      [...new Set([...engine.allowed(request.url ?? "/"), ...managementMethods(config.management, request)])].sort(),
    newId,
    observe: (method, route, status, durationMs) => metrics.observe(method, route, status, durationMs),
  });
  const { fastify } = app;
  const sockets = new ClientSockets(app.server, config.server.https !== undefined, config.server);
  for (const plugin of config.plugins) await plugin.server?.(fastify, config);

  const loop = new MainLoop(logger);
  const stats = (): ServerStats => ({ ...engine.stats(), mainLoop: loop.read() });
  engine.onDone((record) => metrics.observe(record.method, record.route, record.status, record.durationMs));
  const log = accessLog(logger);
  if (log !== undefined) engine.onDone(log);
  const source = {
    ready: () => {
      const { ready, draining } = engine.stats();
      const { failing } = engine;
      if (ready) return { ready };
      return {
        ready,
        reason: draining ? "draining" : failing ? "request threads cannot start" : "no request thread is ready",
      };
    },
    report: () => report(stats()),
    managers: () => managerTree(),
  };
  const { management } = config;
  // From here on it matters which routes the app has.
  await started;
  await managementPlugin(fastify, {
    settings: management,
    source,
    metrics,
    appHas: (path) => engine.find("GET", path)?.info.kind === "http",
  });
  await app.open();
  await attachSockets(app.server, engine, gate);

  let url: string | undefined;
  let listening = false;
  let reloading: Promise<void> = Promise.resolve();
  let closing: Promise<CloseReport> | undefined;
  let allowBlocking: (() => void) | undefined;
  let own: ManagementListener | undefined;
  return {
    config,
    log: logger,
    fastify,
    get url(): string | undefined {
      return url;
    },
    get managementUrl(): string | undefined {
      return own?.url;
    },
    async listen(): Promise<string> {
      if (closing !== undefined) throw new ServerStateError("The server is closed; make another one.");
      if (listening) throw new ServerStateError(`The server listens already, at ${url ?? "an address to come"}.`);
      listening = true;
      url = await bind(fastify, app.server, config);
      loop.start();
      allowBlocking = forbidBlocking("a server listens here, and while this thread blocks it answers nobody");
      if (typeof management.expose === "object")
        own = await listenForManagement({ settings: management, source, metrics });
      return url;
    },
    close(): Promise<CloseReport> {
      closing ??= (async () => {
        const report = await closeServer({
          engine,
          listener: app.listener,
          sockets,
          fastify,
          timeoutMs: config.server.shutdownTimeoutMs,
        });
        await own?.close();
        loop.stop();
        allowBlocking?.();
        setLogger(undefined);
        return report;
      })();
      return closing;
    },
    inject: (request) => fastify.inject(request as InjectOptions),
    reload(): Promise<void> {
      // One after the other: each starts from the sources as they are then.
      const next = reloading.then(async () => {
        if (closing !== undefined) throw new ServerStateError("The server is closing.");
        await engine.reload(await buildApp(config), config.server.shutdownTimeoutMs);
        await attachSockets(app.server, engine, gate);
      });
      reloading = next.catch(() => undefined);
      return next;
    },
    stats,
    managers: () => managerTree(),
  };
}

function report(stats: ServerStats) {
  const { workers, queued, active, outcomes, kills, restarts, placements, mainLoop } = stats;
  return {
    workers: {
      wanted: workers.wanted,
      ready: workers.ready,
      busy: workers.blocked,
      restarts: Object.values(restarts).reduce((sum, count) => sum + count, 0),
      kills,
    },
    queued,
    inFlight: active,
    rejected: outcomes["queue-full"],
    placements,
    mainLoop,
  };
}
