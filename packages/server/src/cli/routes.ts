import { isDuckApp, isFetchApp, noApp } from "../app/define-app.ts";
import type { AnyRoute } from "../app/route.ts";
import { AppLoadError, prepareApp } from "../app-loader/index.ts";
import { resolveConfig } from "../config/index.ts";
import type { Command } from "./arguments.ts";
import { findConfiguration } from "./configuration.ts";
import { inTime } from "./in-time.ts";
import type { CommandIo } from "./io.ts";

/** One line of the list. */
interface ListedRoute {
  readonly method: string;
  readonly path: string;
  /** Whatever the route says that is not the default. */
  readonly notes: readonly string[];
}

/** `duck-ts routes`: imports the app on this thread, which serves nobody, and lists what it declares. */
export async function routes(command: Extract<Command, { name: "routes" }>, io: CommandIo): Promise<number> {
  process.setSourceMapsEnabled(true);
  const found = await findConfiguration({ ...io, file: command.config });
  const config = resolveConfig(found.config, { root: found.root, file: found.file, env: io.env });
  const prepared = await prepareApp({ root: config.root, app: config.app });
  const app = await inTime(
    importApp(prepared.url, config.app),
    io.startDeadlineMs,
    (waited) => `The app was not imported after ${waited}: its top level has not finished.`,
  );
  const listed = listRoutes(app, config.app);
  io.stdout.write(command.json ? `${JSON.stringify(listed, null, 2)}\n` : table(listed));
  return 0;
}

async function importApp(url: string, file: string): Promise<unknown> {
  try {
    return ((await import(url)) as { default: unknown }).default;
  } catch (error) {
    throw new AppLoadError(file, `Importing ${file} throws.\n${error instanceof Error ? error.stack : String(error)}`, {
      cause: error,
    });
  }
}

/** Takes for an app what `serve` takes for one, so that a list at build time is a promise. */
function listRoutes(app: unknown, file: string): ListedRoute[] {
  if (isDuckApp(app)) return app.routes.map(describeRoute);
  if (isFetchApp(app)) return [{ method: "ALL", path: "/*", notes: ["fetch-style app: it routes by itself"] }];
  throw new AppLoadError(file, `${file}: ${noApp(app)}`);
}

function describeRoute({ kind, method, path, options: given }: AnyRoute): ListedRoute {
  const options = given as Readonly<Record<string, unknown>>;
  const notes: string[] = [];
  for (const name of ["timeoutMs", "bodyLimitBytes", "maxConcurrent", "run", "kill"]) {
    if (options[name] !== undefined) notes.push(`${name} ${String(options[name])}`);
  }
  const checked = ["params", "query", "headers", "body", "response"].filter((name) => options[name] !== undefined);
  if (checked.length > 0) notes.push(`checks ${checked.join(", ")}`);
  return { method: kind === "websocket" ? "WS" : method === "*" ? "ALL" : method, path, notes };
}

function table(listed: readonly ListedRoute[]): string {
  if (listed.length === 0) return "The app has no routes.\n";
  const methodWidth = Math.max(...listed.map(({ method }) => method.length));
  const pathWidth = Math.max(...listed.map(({ path }) => path.length));
  return listed
    .map(({ method, path, notes }) =>
      `${method.padEnd(methodWidth)}  ${path.padEnd(pathWidth)}  ${notes.join("; ")}`.trimEnd(),
    )
    .concat("")
    .join("\n");
}
