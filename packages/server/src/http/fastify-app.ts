/**
 * Fastify with the app's routes in it. Where no plugin has a hook, a request of the app never gets here: the listener in
 * front hands it to the engine. Everything else (plugins' routes, management, errors, `inject()`) is Fastify's.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify as makeFastify } from "fastify";
import type { Logger } from "pino";
import { pathOf } from "../app/path.ts";
import { problem, problemOf } from "../app/problem.ts";
import type { ResolvedConfig } from "../config/types.ts";
import type { MainRoute } from "../engine/in-flight.ts";
import { AccessLines } from "./access-log.ts";
import { FastifySink } from "./fastify-sink.ts";
import { takeHookedHeaders } from "./hooked-headers.ts";
import { endAfterAnswer } from "./http2-request.ts";
import { isLast, parserAnswer, takeOriginForm, whyRefused } from "./hygiene.ts";
import { asFastifysOwn, lazyCompilers } from "./lazy-compilers.ts";
import { createNodeServer, type NodeServer } from "./node-server.ts";
import { refuseTunnels } from "./other-upgrades.ts";
import { lastOwed, lingerAfter, owe } from "./owed-answers.ts";
import { RawSink } from "./raw-sink.ts";
import type { RequestGate } from "./request-gate.ts";

/** The hooks that see a request or its answer; with one of them at the root, requests of the app go through Fastify. */
const REQUEST_HOOKS: ReadonlySet<string> = new Set([
  "onRequest",
  "preParsing",
  "preValidation",
  "preHandler",
  "preSerialization",
  "onSend",
  "onResponse",
  "onError",
  "onTimeout",
  "onRequestAbort",
  // Adds hooks to every route: compress and rate-limit do it so.
  "onRoute",
]);

const PROBLEM = "application/problem+json; charset=utf-8";
const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

export interface FastifyAppOptions {
  readonly config: ResolvedConfig;
  readonly logger: Logger;
  readonly gate: RequestGate;
  /** The methods that the path of a request has, of the app's routes and of what main answers itself. */
  allowed(request: IncomingMessage): string[];
  /** The id of a request that is not the engine's. */
  newId(request: IncomingMessage): string;
  /** Counts an answer that is not the engine's. */
  observe(method: string, route: string | null, status: number, durationMs: number): void;
}

export interface FastifyApp {
  readonly fastify: FastifyInstance;
  readonly server: Server;
  /** The same, with how its connections are ended. */
  readonly listener: NodeServer;
  /** The plugins are registered: from here on the app's routes answer. */
  open(): Promise<void>;
}

/** Makes the server and Fastify over it. Plugins are registered on `fastify` between this and `open()`. */
export function createFastifyApp(options: FastifyAppOptions): FastifyApp {
  const { config, logger, gate } = options;
  const { bodyLimitBytes, trustProxy } = config.server;
  /** Do the app's requests go through Fastify's hooks? */
  let hooked = false;
  let opened = false;
  let made: NodeServer | undefined;
  const ending = new WeakSet<Socket>();
  /** Requests that the engine has had. */
  const entered = new WeakSet<IncomingMessage>();
  const enter = (request: FastifyRequest, reply: FastifyReply, route: MainRoute): void => {
    entered.add(request.raw);
    takeHookedHeaders(request.raw, request.headers);
    gate.enter(request.raw, reply.raw, route, new FastifySink(reply, gate));
  };

  // A fetch-style app takes every path, so what has a path of its own comes before it: management, plugins' routes.
  const managed = new Set([config.management.health, config.management.ready, config.management.metrics]);
  const withPlugins = config.plugins.some((plugin) => plugin.server !== undefined);
  const othersFirst = (url: string): boolean => withPlugins || managed.has(pathOf(url));

  const listener = (handler: (request: IncomingMessage, response: ServerResponse) => void) => {
    return (request: IncomingMessage, response: ServerResponse): void => {
      owe(response);
      takeOriginForm(request);
      // Whoever answers: on a server's way down every answer is the last one of its connection.
      if ((gate.draining && request.httpVersionMajor === 1) || isLast(request)) response.shouldKeepAlive = false;
      if (opened && !hooked) {
        const route = gate.find(request.method ?? "GET", request.url ?? "/");
        if (route !== undefined && !(route.info.kind === "fetch" && othersFirst(request.url ?? "/"))) {
          gate.enter(request, response, route, new RawSink(response, gate));
          return;
        }
      }
      handler(request, response);
    };
  };

  const fastify = makeFastify({
    loggerInstance: logger,
    logController: new AccessLines({
      isEngines: (request) => entered.has(request.raw),
      appRoute: ({ raw }) => gate.find(raw.method ?? "GET", raw.url ?? "/")?.info.path ?? null,
      observe: options.observe,
    }),
    bodyLimit: bodyLimitBytes,
    trustProxy: trustProxy as boolean,
    genReqId: (request) => options.newId(request as IncomingMessage),
    forceCloseConnections: false,
    exposeHeadRoutes: true,
    schemaController: { compilersFactory: lazyCompilers() as never },
    clientErrorHandler(error, socket) {
      if (error.code === "ECONNRESET" || socket.destroyed) {
        socket.destroy();
        return;
      }
      // Its last answer is on its way out, and nothing that comes behind may cut that short.
      if (socket.writableEnded) return;
      // What follows a Connection: close is nobody's request; the answer before it ends the connection.
      const owed = lastOwed(socket);
      if (owed !== undefined && (error.code as string) === "HPE_CLOSED_CONNECTION") {
        lingerAfter(socket);
        return;
      }
      // Behind the answers to what came before it, else the first of them would be taken for this one.
      if (owed === undefined) lastWords(socket, error.code);
      else if (!ending.has(socket)) {
        ending.add(socket);
        owed.once("close", () => lastWords(socket, error.code));
      }
    },
    serverFactory(handler) {
      if (made === undefined) {
        made = createNodeServer(config.server, listener(handler));
        refuseTunnels(made.server);
      }
      return made.server;
    },
    routerOptions: {
      constraints: {
        duckApp: {
          name: "duckApp",
          storage: () => {
            const stores = new Map<unknown, unknown>();
            return {
              get: (key: unknown) => stores.get(key) ?? null,
              set: (key: unknown, store: unknown) => void stores.set(key, store),
            };
          },
          validate: () => undefined,
          deriveConstraint: (request: IncomingMessage) => {
            const route = gate.find(request.method ?? "GET", request.url ?? "/");
            return route === undefined || route.info.kind === "fetch" ? undefined : "yes";
          },
          mustMatchWhenDerived: true,
        } as never,
      },
    },
  }) as unknown as FastifyInstance;

  asFastifysOwn(fastify);
  fastify.setErrorHandler((error: Error, request, reply) => {
    const said = problemOf(error, config.development, request.id);
    if (said.status >= 500) request.log.error({ err: error }, "A plugin failed");
    return reply.code(said.status).type(PROBLEM).send(JSON.stringify(said));
  });

  const addHook = fastify.addHook;
  fastify.addHook = function (this: FastifyInstance, name: string, ...rest: unknown[]): FastifyInstance {
    if (this === fastify && REQUEST_HOOKS.has(name)) hooked = true;
    return (addHook as (...args: unknown[]) => FastifyInstance).call(this, name, ...rest);
  } as typeof addHook;

  return {
    fastify,
    get server(): Server {
      return this.listener.server;
    },
    get listener(): NodeServer {
      if (made === undefined) throw new Error("Fastify has made no server.");
      return made;
    },
    async open(): Promise<void> {
      const wasHooked = hooked;
      await fastify.register(async (child) => routeApp(child, gate, freeMethods(fastify, gate), enter));
      answerTheRest(fastify, options, enter);
      fastify.addHook("onRequest", async (request, reply) => {
        const refused = whyRefused(request.raw);
        if (refused !== undefined) {
          endAfterAnswer(request.raw, reply.raw);
          const [status, detail] = refused;
          await reply
            .code(status)
            .type(PROBLEM)
            .send(JSON.stringify(problem(status, detail, { requestId: request.id })));
        }
      });
      await fastify.ready();
      hooked = wasHooked;
      opened = true;
    },
  };
}

/** Says what is wrong with bytes that are no request, and ends the connection. */
function lastWords(socket: Socket, code: string | undefined): void {
  if (socket.writable) socket.end(parserAnswer(code), () => socket.destroy());
  else socket.destroy();
}

/** Hands a request to the engine. */
type Enter = (request: FastifyRequest, reply: FastifyReply, route: MainRoute) => void;

/**
 * The methods of the app's route. A fetch-style app shares `/*` with plugins: where one of them has it (static files at
 * the root do), the plugin comes first, and what it does not find goes to the app; see answerTheRest.
 */
function freeMethods(fastify: FastifyInstance, gate: RequestGate): readonly string[] {
  if (!gate.isFetchApp) return METHODS;
  const taken = (method: string, url: string): boolean => fastify.hasRoute({ method: method as "GET", url });
  return METHODS.filter((method) => !taken(method, "/*") && !taken(method, "*"));
}

/** The app as one route of Fastify, in a scope of its own where bodies are left alone. */
function routeApp(child: FastifyInstance, gate: RequestGate, methods: readonly string[], enter: Enter): void {
  child.removeAllContentTypeParsers();
  child.addContentTypeParser("*", (_request, _payload, done) => done(null));
  child.route({
    method: methods as never,
    url: "/*",
    exposeHeadRoute: false,
    ...(gate.isFetchApp ? {} : { constraints: { duckApp: "yes" } as never }),
    config: { duckApp: true } as never,
    schema: { hide: true } as never,
    handler(request, reply) {
      const route: MainRoute | undefined = gate.find(request.raw.method ?? "GET", request.raw.url ?? "/");
      if (route === undefined) reply.callNotFound();
      else enter(request, reply, route);
    },
  });
}

function answerTheRest(fastify: FastifyInstance, options: FastifyAppOptions, enter: Enter): void {
  const { gate } = options;
  try {
    fastify.setNotFoundHandler((request, reply) => {
      const { method, url } = request.raw;
      const app = gate.isFetchApp ? gate.find(method ?? "GET", url ?? "/") : undefined;
      if (app !== undefined) {
        enter(request, reply, app);
        return reply;
      }
      const say = (status: number, detail: string): FastifyReply => {
        const said = problem(status, detail, { requestId: request.id });
        return reply.code(status).type(PROBLEM).send(JSON.stringify(said));
      };
      const allowed = url === "*" ? METHODS : options.allowed(request.raw);
      if (allowed.length === 0) return say(404, "No route has this path.");
      if ((method === "GET" || method === "HEAD") && gate.isSocket(url ?? "/")) {
        if (request.raw.httpVersionMajor === 1) reply.headers({ connection: "Upgrade, close", upgrade: "websocket" });
        return say(426, "This path takes WebSockets only.");
      }
      reply.header("allow", allowed.join(", "));
      if (method === "OPTIONS") return reply.code(204).send();
      if (url === "*") return say(400, `Only OPTIONS takes the target "*", not ${method}.`);
      return say(405, `This path takes ${allowed.join(", ")}, not ${method}.`);
    });
  } catch {
    // A plugin has brought its own; then it answers for what nobody has a route for.
  }
}
