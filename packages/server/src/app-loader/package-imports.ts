import { existsSync, realpathSync } from "node:fs";
import { isBuiltin } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { OnResolveArgs, OnResolveResult, Plugin, PluginBuild } from "esbuild";
import { type CacheFolder, modulesFoldersAbove } from "./cache-folder.ts";

/** The packages of this project: the app gets the instances that serve it, also where it has not installed them itself. */
const ownPackages: ReadonlySet<string> = new Set(["@duck-ts/server", "@duck-ts/managers", "@duck-ts/runtime"]);

const alreadyAsked = Symbol("already asked");

/**
 * Leaves packages out of the bundle, as Node would find them: not aliases of `tsconfig.json`, not `#imports`, and not a
 * workspace's packages that are TypeScript, which Node could not load.
 */
export function packageImports(cache: CacheFolder): Plugin {
  return {
    name: "duck-ts:package-imports",
    setup(build) {
      build.onResolve({ filter: /^[^./]/ }, (args) => {
        if (args.kind === "entry-point" || args.pluginData === alreadyAsked || /^(data|https?|file):/.test(args.path))
          return undefined;
        if (isBuiltin(args.path)) return { path: args.path, external: true };
        return resolveBare(build, args, cache);
      });
    },
  };
}

async function resolveBare(
  build: PluginBuild,
  args: OnResolveArgs,
  cache: CacheFolder,
): Promise<OnResolveResult | undefined> {
  const name = /^(@[^/]+\/)?[^/]+/.exec(args.path)?.[0] ?? args.path;
  const installed = args.path.startsWith("#") ? undefined : folderOf(name, args.resolveDir);
  const found = await build.resolve(args.path, {
    importer: args.importer,
    resolveDir: args.resolveDir,
    kind: args.kind,
    with: args.with,
    pluginData: alreadyAsked,
  });

  if (found.errors.length > 0) {
    const own = ownPackages.has(name) ? locateOwn(args.path) : undefined;
    if (own !== undefined) return { path: own, external: true };
    // Found by Node's own rules, or perhaps absent on purpose (`await import("optional").catch(...)`): Node decides.
    if (installed !== undefined || args.kind !== "import-statement") return { path: args.path, external: true };
    return { errors: [{ text: `Could not find the package ${JSON.stringify(name)}. Is it installed?` }] };
  }
  if (found.external) return { path: found.path, external: true };

  const isPackage =
    /[\\/]node_modules[\\/]/.test(found.path) || (installed !== undefined && found.path.startsWith(installed.real));
  if (!isPackage || /\.([cm]?tsx?|jsx)$/.test(found.path)) return undefined;
  // A bare name is right where the cache's folder finds the same package; else the place itself is written down.
  if (installed !== undefined && cache.modulesFolder !== null && folderOf(name, cache.path)?.link === installed.link) {
    return { path: args.path, external: true };
  }
  return { path: args.kind === "require-call" ? found.path : pathToFileURL(found.path).href, external: true };
}

/** Where Node finds the package `name` from `folder`: the folder in `node_modules`, and the one it stands for. */
function folderOf(name: string, folder: string): { link: string; real: string } | undefined {
  for (const modules of modulesFoldersAbove(folder)) {
    const link = join(modules, name);
    if (existsSync(link)) return { link, real: realpathSync(link) };
  }
  return undefined;
}

function locateOwn(specifier: string): string | undefined {
  try {
    return import.meta.resolve(specifier);
  } catch {
    return undefined;
  }
}
