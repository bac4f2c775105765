/** Routes as an app declares them. */
import { AppDefinitionError } from "../errors.ts";
import type { Context } from "./context.ts";
import { described } from "./described.ts";
import type { FileBody } from "./file.ts";
import { type PathSegment, parsePath } from "./path.ts";
import type { Html, Reply } from "./reply.ts";
import type { NamedStatus, ResponseData, RouteSchemas } from "./schema.ts";
import type { WebSocketHandlers, WebSocketOptions } from "./web-socket.ts";

/** The methods a route can have; `*` is all of them. */
export type RouteMethod = "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "HEAD" | "OPTIONS" | "*";

/** What a route may say beside its method, path and handler. */
export interface RouteOptions extends RouteSchemas {
  /** After how many milliseconds the client gets a 504, whatever the handler does. Default: `requestHandling.timeoutMs`. */
  readonly timeoutMs?: number | undefined;
  /** The largest body in bytes; a larger one is a 413. Default: `server.bodyLimitBytes`. Streams are bounded only by this. */
  readonly bodyLimitBytes?: number | undefined;
  /** `"main"` runs the handler on the main thread: for trivial ones that never block and never hang. */
  readonly run?: "pool" | "main" | undefined;
  /** `"never"`: at the deadline the thread is not terminated but left alone until the call returns. */
  readonly kill?: "auto" | "never" | undefined;
  /** How many requests of this route may be with the handlers at once; the others wait in the queue. */
  readonly maxConcurrent?: number | undefined;
  /**
   * Whether a body above 64 KiB is given to the handler as `ctx.request.body` while it comes in (`true`), or collected
   * first (`false`). Default: streamed when the handler's own code names
   * `request` and not `ctx.body`; set it where a helper that is handed the context reads one of them. With `run: "main"`
   * bodies are always collected.
   */
  readonly streamBody?: boolean | undefined;
}

type Sendable = FileBody | Html | Response | Uint8Array | ReadableStream | NodeJS.ReadableStream | null | undefined;
type Streamable = AsyncIterable<string | Uint8Array> | Iterator<string | Uint8Array, unknown, undefined>;

type Answer<O> = ResponseData<O> | Exclude<Sendable, null | undefined> | Streamable;

/** The statuses that a `response` schema says nothing about, unless it is a record that names them. */
type OtherStatus =
  | (204 | 205)
  | (300 | 301 | 302 | 303 | 304 | 305 | 307 | 308)
  | (400 | 401 | 402 | 403 | 404 | 405 | 406 | 407 | 408 | 409 | 410 | 411 | 412 | 413 | 414 | 415 | 416 | 417 | 418)
  | (421 | 422 | 423 | 424 | 425 | 426 | 428 | 429 | 431 | 451 | 499)
  | (500 | 501 | 502 | 503 | 504 | 505 | 506 | 507 | 508 | 510 | 511);

/**
 * What a handler may return: data (as its `response` schema has it), or one of the special kinds. A `reply()` of a
 * status that the schema is not about may carry anything.
 */
export type HandlerResult<O> = "response" extends keyof O
  ? Answer<O> | Reply<Answer<O>> | Reply<unknown, Exclude<OtherStatus, NamedStatus<O>>>
  : unknown;

/** A handler: may block, may be async, may be a generator. */
export type Handler<P extends string = string, O = RouteOptions> = (
  ctx: Context<P, O>,
) => HandlerResult<O> | Promise<HandlerResult<O>>;

/** A handler whose types have been checked and forgotten. */
export type AnyHandler = (ctx: Context<string, RouteOptions>) => unknown;

/** A declared HTTP route. */
export interface Route {
  readonly kind: "http";
  readonly method: RouteMethod;
  readonly path: string;
  readonly segments: readonly PathSegment[];
  readonly options: RouteOptions;
  readonly handler: AnyHandler;
}

/** A declared WebSocket route. */
export interface WebSocketRoute {
  readonly kind: "websocket";
  readonly method: "GET";
  readonly path: string;
  readonly segments: readonly PathSegment[];
  readonly options: WebSocketOptions;
  readonly handlers: WebSocketHandlers;
}

/** Any route of an app. */
export type AnyRoute = Route | WebSocketRoute;

/** The functions `get`, `post`, ...: a path, what it says about its data, and a handler typed from both. */
export interface DefineRoute {
  <const P extends string>(path: P, handler: Handler<P, Record<never, never>>): Route;
  <const P extends string, const O extends RouteOptions>(path: P, options: O, handler: Handler<P, O>): Route;
}

const METHODS: ReadonlySet<string> = new Set(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "*"]);

/**
 * A route of any method; `get`, `post` and the others are this with the method filled in.
 * @throws {AppDefinitionError} when method, path, an option or the handler is not what it has to be.
 */
export function route<const P extends string>(
  method: RouteMethod,
  path: P,
  handler: Handler<P, Record<never, never>>,
): Route;
export function route<const P extends string, const O extends RouteOptions>(
  method: RouteMethod,
  path: P,
  options: O,
  handler: Handler<P, O>,
): Route;
export function route(method: RouteMethod, path: string, second: unknown, third?: unknown): Route {
  if (!METHODS.has(method)) {
    const methods = [...METHODS].join(", ");
    throw new AppDefinitionError(`route(${described(method)}, ${described(path)}): expected one of ${methods}.`);
  }
  const segments = parsePath(path);
  const handler = third ?? second;
  const options = (third === undefined ? {} : second) as RouteOptions;
  if (typeof handler !== "function") {
    throw new AppDefinitionError(`${method} ${path}: expected a handler function, got ${described(handler)}.`);
  }
  checkOptions(`${method} ${path}`, options);
  return { kind: "http", method, path, segments, options, handler: handler as AnyHandler };
}

const define =
  (method: RouteMethod): DefineRoute =>
  (path: string, second: unknown, third?: unknown): Route =>
    (route as (...args: unknown[]) => Route)(method, path, second, third);

/** A `GET` route; it answers `HEAD` too, unless the app has a `head` route of that path. */
export const get: DefineRoute = define("GET");
/** A `POST` route. */
export const post: DefineRoute = define("POST");
/** A `PUT` route. */
export const put: DefineRoute = define("PUT");
/** A `PATCH` route. */
export const patch: DefineRoute = define("PATCH");
/** A `DELETE` route. */
export const del: DefineRoute = define("DELETE");
/** A `HEAD` route. */
export const head: DefineRoute = define("HEAD");
/** An `OPTIONS` route. */
export const options: DefineRoute = define("OPTIONS");
/** A route of every method. */
export const all: DefineRoute = define("*");

const KNOWN: ReadonlySet<string> = new Set([
  "params",
  "query",
  "headers",
  "body",
  "response",
  "timeoutMs",
  "bodyLimitBytes",
  "run",
  "kill",
  "maxConcurrent",
  "streamBody",
]);

function checkOptions(where: string, given: RouteOptions): void {
  if (typeof given !== "object" || given === null) {
    throw new AppDefinitionError(`${where}: expected an object of options, got ${described(given)}.`);
  }
  for (const key of Object.keys(given)) {
    if (!KNOWN.has(key)) {
      throw new AppDefinitionError(`${where}: unknown option "${key}", expected one of ${[...KNOWN].join(", ")}.`);
    }
  }
  for (const key of ["timeoutMs", "bodyLimitBytes", "maxConcurrent"] as const) {
    const value = given[key];
    if (value !== undefined && !(Number.isInteger(value) && value > 0)) {
      throw new AppDefinitionError(`${where}: ${key} must be a whole number above 0, got ${described(value)}.`);
    }
  }
  for (const key of ["params", "query", "headers", "body"] as const) {
    const value: unknown = given[key];
    if (value !== undefined && !isSchema(value)) {
      throw new AppDefinitionError(`${where}: ${key} must be a zod schema, got ${described(value)}.`);
    }
  }
  const { response, run, kill, streamBody } = given;
  if (response !== undefined && !isSchema(response) && !isByStatus(response)) {
    throw new AppDefinitionError(
      `${where}: response must be a zod schema, or an object of them by status ({ 200: schema }), got ${described(response)}.`,
    );
  }
  if (run !== undefined && run !== "main" && run !== "pool") {
    throw new AppDefinitionError(`${where}: run must be "pool" or "main", got ${described(run)}.`);
  }
  if (run === "main" && streamBody === true) {
    throw new AppDefinitionError(
      `${where}: streamBody must not be true with run: "main", where bodies are collected first.`,
    );
  }
  if (kill !== undefined && kill !== "auto" && kill !== "never") {
    throw new AppDefinitionError(`${where}: kill must be "auto" or "never", got ${described(kill)}.`);
  }
  if (streamBody !== undefined && typeof streamBody !== "boolean") {
    throw new AppDefinitionError(`${where}: streamBody must be true or false, got ${described(streamBody)}.`);
  }
}

function isSchema(value: unknown): boolean {
  return typeof (value as { safeParse?: unknown } | null)?.safeParse === "function";
}

function isByStatus(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return Object.entries(value).every(([status, schema]) => /^[2-5]\d\d$/.test(status) && isSchema(schema));
}
