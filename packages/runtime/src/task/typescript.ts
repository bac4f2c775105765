import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { threadWide } from "../thread/shared-state.ts";
import { treatTypeScriptAsModules } from "./typescript-modules.ts";

/** This thread's TypeScript loader, once something needed it. */
const loader: { ready: Promise<void> | undefined } = threadWide("task.typescript", () => ({ ready: undefined }));

/**
 * Sees to it that this thread can import the module at `url`, if it is TypeScript: through tsx, which knows enums,
 * paths of the tsconfig.json, imports without or with a `.js` extension, and maps stacks back to the source. Loaded
 * only when the first such module is needed; plain JavaScript costs one look at the url.
 *
 * @throws Error, as a rejection, where the package tsx is missing and this Node does not run TypeScript by itself.
 */
export function ensureTypeScript(url: string): void | Promise<void> {
  if (loader.ready !== undefined) return loader.ready;
  if (!isTypeScript(url)) return undefined;
  loader.ready = register(url);
  // A failure is this import's own; a later one may try again.
  loader.ready.catch(() => {
    loader.ready = undefined;
  });
  return loader.ready;
}

function isTypeScript(url: string): boolean {
  if (!url.startsWith("file:")) return false;
  const { pathname } = new URL(url);
  if (/\.[cm]?tsx?$/.test(pathname)) return true;
  // "./jobs.js" and "./jobs" may be written for what is "./jobs.ts" on disk.
  const path = fileURLToPath(url);
  if (existsSync(path)) return false;
  const extension = /\.[cm]?jsx?$/.exec(path)?.[0];
  const candidates =
    extension === undefined
      ? [`${path}.ts`, `${path}.tsx`]
      : [path.replace(/js(x?)$/, "ts$1"), path.replace(/js$/, "tsx")];
  return candidates.some((candidate) => existsSync(candidate));
}

async function register(url: string): Promise<void> {
  // Not a literal: a bundler would take it for a part of the app, and its esbuild cannot be bundled.
  const specifier = ["tsx", "esm", "api"].join("/");
  let tsx: typeof import("tsx/esm/api");
  try {
    tsx = await import(/* @vite-ignore */ /* webpackIgnore: true */ specifier);
  } catch (cause) {
    if ("typescript" in process.features && process.features.typescript) return;
    throw new Error(`${url} is TypeScript, and the package tsx, which runs it, is not installed: npm install tsx.`, {
      cause,
    });
  }
  const tsconfig = process.env.TSX_TSCONFIG_PATH ?? nearestTsconfig(dirname(fileURLToPath(url)));
  tsx.register(tsconfig === undefined ? {} : { tsconfig });
  await treatTypeScriptAsModules();
}

function nearestTsconfig(folder: string): string | undefined {
  const file = join(folder, "tsconfig.json");
  if (existsSync(file)) return file;
  const parent = dirname(folder);
  return parent === folder ? undefined : nearestTsconfig(parent);
}
