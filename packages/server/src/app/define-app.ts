/** `defineApp`: what an app's module exports. */
import { AppDefinitionError } from "../errors.ts";
import { meantBy } from "../misspelt.ts";
import type { Context } from "./context.ts";
import { described } from "./described.ts";
import { pathShape } from "./path.ts";
import type { AnyRoute } from "./route.ts";

const HOOKS = ["onWorkerStart", "onWorkerStop", "onError"] as const;
const MEMBERS: readonly string[] = ["routes", ...HOOKS];

const APP: symbol = Symbol.for("duck-ts.app");

/** An app: its routes and what to do when a request thread comes and goes. */
export interface AppDefinition {
  readonly routes: readonly AnyRoute[];
  /** Runs in each new request thread before it takes requests: open a database, start a render loop. A throw stops the start. */
  onWorkerStart?(): void | Promise<void>;
  /** Runs in each request thread that is let go of, after its last request. Not in one that had to be terminated. */
  onWorkerStop?(): void | Promise<void>;
  /** Sees each error that a handler throws; what it returns, unless `undefined`, is the answer. */
  onError?(error: unknown, ctx: Context): unknown;
}

/** What `defineApp` gives back. */
export interface DuckApp extends AppDefinition {
  readonly kind: "duck-app";
}

/** Any fetch-style app is one too: Hono, h3, or an object of your own. `request.ip` is the client's address, as in srvx. */
export interface FetchApp {
  fetch(request: Request, ...rest: never[]): Response | Promise<Response>;
  /** Makes the answer where `fetch` throws, as in srvx and Bun; left out, that is a problem document. */
  error?(error: unknown): Response | Promise<Response>;
}

/**
 * Declares an app.
 *
 * @example
 * ```ts check
 * import { defineApp, get } from "@duck-ts/server";
 *
 * export default defineApp({
 *   routes: [get("/hello/:name", ({ params }) => ({ hello: params.name }))],
 * });
 * ```
 * @throws {AppDefinitionError} when a route is not one, two of them take the same requests, or a hook is misspelt.
 */
export function defineApp(app: AppDefinition): DuckApp {
  if (typeof app !== "object" || app === null || !Array.isArray(app.routes)) {
    throw new AppDefinitionError(`defineApp: expected { routes: [...] }, got ${described(app)}.`);
  }
  const seen = new Map<string, string>();
  app.routes.forEach((route: AnyRoute, index) => {
    const kind: unknown = (route as { kind?: unknown } | null)?.kind;
    if (kind !== "http" && kind !== "websocket") {
      throw new AppDefinitionError(
        `defineApp: routes[${index}] is ${described(route)}, expected what get(), post(), ws() and the others return${
          Array.isArray(route) ? "; spread a list of them: ...list" : ""
        }.`,
      );
    }
    const method = route.kind === "websocket" ? "ws" : route.method;
    const name = `${method} ${route.path}`;
    const shape = `${method} ${pathShape(route.segments)}`;
    const earlier = seen.get(shape);
    if (earlier === name) throw new AppDefinitionError(`defineApp: ${name} is declared twice.`);
    if (earlier !== undefined) {
      throw new AppDefinitionError(
        `defineApp: ${name} would never be reached, ${earlier} takes the same requests. Make one of them, or tell their parameters apart by a pattern: /:id(\\d+).`,
      );
    }
    seen.set(shape, name);
  });
  // What it holds besides is its author's; but a function nobody would ever call.
  for (const [name, value] of Object.entries(app)) {
    const meant = meantBy(name, MEMBERS);
    if (meant === undefined && (typeof value !== "function" || MEMBERS.includes(name))) continue;
    const hint = meant === undefined ? "" : ` (did you mean ${meant}?)`;
    throw new AppDefinitionError(`defineApp: unknown "${name}"${hint}, expected one of ${MEMBERS.join(", ")}.`);
  }
  for (const hook of HOOKS) {
    const given: unknown = app[hook];
    if (given !== undefined && typeof given !== "function") {
      throw new AppDefinitionError(`defineApp: ${hook} must be a function, got ${described(given)}.`);
    }
  }
  const defined: DuckApp = { ...app, kind: "duck-app" };
  Object.defineProperty(defined, APP, { value: true });
  return defined;
}

/** Did `defineApp`, of this or another copy of the package, make this? */
export function isDuckApp(value: unknown): value is DuckApp {
  return typeof value === "object" && value !== null && (value as Record<symbol, unknown>)[APP] === true;
}
/** Has it a `fetch` function? */
export function isFetchApp(value: unknown): value is FetchApp {
  return (
    value !== null &&
    (typeof value === "object" || typeof value === "function") &&
    typeof (value as { fetch?: unknown }).fetch === "function"
  );
}

/** Says of a module's default export what it is and what it should have been. */
export function noApp(value: unknown): string {
  const isPromise = typeof (value as { then?: unknown } | null | undefined)?.then === "function";
  const found = isPromise ? "a promise (await it)" : described(value);
  return `The default export is ${found}; expected defineApp({ routes: [...] }) or an object with a fetch(request) function.`;
}
