import { statSync } from "node:fs";
import { relative } from "node:path";
import { pathToFileURL } from "node:url";
import { meantBy } from "../misspelt.ts";
import { AppLoadError } from "./app-load-error.ts";
import { bundleModules } from "./bundle.ts";
import { mapStacksInThreads } from "./source-maps.ts";

export interface PrepareAppOptions {
  /** The folder of the config file; decides which `node_modules` holds the cache. */
  readonly root: string;
  /** The absolute path of the app's source. */
  readonly app: string;
  /** The absolute paths of the plugins' worker modules (`ResolvedPlugin.worker`). */
  readonly pluginWorkers?: readonly string[] | undefined;
}

/** An app that any thread can import. */
export interface PreparedApp {
  /** `file:` URL of an ES module whose default export is the app. The same sources always have the same URL. */
  readonly url: string;
  /** `file:` URLs of the plugins' worker modules, in the order given. They share modules with the app. */
  readonly pluginWorkers: readonly string[];
  /** Every source file that went in. */
  readonly inputs: readonly string[];
  /** False where a build was needed. */
  readonly cached: boolean;
}

/**
 * Makes a TypeScript app importable in every thread. Call it again after the sources have changed: what changed has
 * another URL, so `import()` gets it fresh.
 * @throws AppLoadError where a file is missing, does not compile, or exports no app.
 */
export async function prepareApp({ root, app, pluginWorkers = [] }: PrepareAppOptions): Promise<PreparedApp> {
  for (const file of [app, ...pluginWorkers]) {
    if (!statSync(file, { throwIfNoEntry: false })?.isFile()) throw new AppLoadError(file, `There is no file ${file}.`);
  }
  mapStacksInThreads();
  // A plugin that comes as a package is imported as it is: it has been compiled, and its imports are found beside it.
  const own = pluginWorkers.filter((file) => !isInstalled(file));
  const entries = [{ file: app, name: "app" }, ...own.map((file, index) => ({ file, name: `plugin-${index}` }))];
  const bundle = await bundleModules({ root, entries });
  if (!bundle.exports[0]?.includes("default")) {
    throw new AppLoadError(
      app,
      `${relative(root, app)} has no default export. Write: export default defineApp({ routes: [...] })`,
    );
  }
  for (const [index, file] of own.entries()) {
    checkWorkerSide(file, relative(root, file), bundle.exports[1 + index] ?? []);
  }
  return {
    url: bundle.urls[0] as string,
    pluginWorkers: pluginWorkers.map((file) =>
      isInstalled(file) ? pathToFileURL(file).href : (bundle.urls[1 + own.indexOf(file)] as string),
    ),
    inputs: bundle.inputs,
    cached: bundle.cached,
  };
}

const HOOKS: readonly string[] = ["onWorkerStart", "onWorkerStop"];

/** A hook under another name would never run, and nobody would say so. Whatever else a module exports is its own. */
function checkWorkerSide(file: string, shown: string, exports: readonly string[]): void {
  for (const name of exports) {
    const meant = meantBy(name, HOOKS);
    if (meant === undefined && (HOOKS.includes(name) || !/^onWorker/i.test(name))) continue;
    const hint = meant === undefined ? "" : ` (did you mean ${meant}?)`;
    throw new AppLoadError(
      file,
      `${shown}, the worker side of a plugin, exports ${name}; expected ${HOOKS.join(" or ")}${hint}.`,
    );
  }
}

function isInstalled(file: string): boolean {
  return /[\\/]node_modules[\\/]/.test(file);
}
