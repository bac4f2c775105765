import { createHash } from "node:crypto";
import { mkdirSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { AppLoadError } from "./app-load-error.ts";
import type { BuiltModules } from "./build.ts";
import { type CacheFolder, findCacheFolder } from "./cache-folder.ts";
import { type CacheRecord, isFresh, readRecord, recordInputs, writeRecord } from "./cache-record.ts";
import { leaseBuild, sweepBuilds } from "./leases.ts";

/** A module to make importable. */
export interface BundleEntry {
  /** The absolute path of its source. */
  readonly file: string;
  /** What its output is called: `app` becomes `app.mjs`. */
  readonly name: string;
}

export interface Bundle {
  /** The `file:` URL of each entry's output, in the order given. */
  readonly urls: readonly string[];
  /** The names that each entry exports. */
  readonly exports: readonly (readonly string[])[];
  /** Every source file that went in. */
  readonly inputs: readonly string[];
  readonly cached: boolean;
}

/** Part of every cache key: raise it when the same sources would come out differently. */
const loaderVersion = 2;

/**
 * Bundles modules into ES modules that any thread can import, unless the cache has them already: then esbuild is not
 * even loaded. Outputs lie in a folder named after their content, so servers that start at once, and servers of
 * different versions of an app, never meet.
 * @throws AppLoadError where a file is missing or does not compile.
 */
export async function bundleModules(options: { root: string; entries: readonly BundleEntry[] }): Promise<Bundle> {
  const entries = options.entries.map((entry) => ({ ...entry, file: realPathOf(entry.file) }));
  const cache = findCacheFolder(options.root);
  const key = hash(
    JSON.stringify([loaderVersion, process.versions.node.split(".")[0], options.root, cache.modulesFolder, entries]),
  );
  const known = readRecord(cache.path, key);
  if (known !== null && isFresh(known, cache.path)) return present(cache, known, true);

  const startedAt = Date.now();
  const { buildModules } = await import("./build.ts");
  const built = await buildModules({ root: options.root, entries, cache });
  const folder = hash(built.files.map((file) => `${file.name} ${hash(file.content)}`).join("\n"));
  store(cache.path, folder, built.files);
  const record: CacheRecord = {
    folder,
    outputs: entries.map((entry) => `${entry.name}.mjs`),
    files: built.files.map((file) => file.name),
    exports: built.exports,
    ...recordInputs(built.inputs),
  };
  // A source saved while esbuild was reading would be recorded as it is now, and not as it was built.
  if (record.inputs.every(([, mtimeMs]) => Math.floor(mtimeMs) <= startedAt)) writeRecord(cache.path, key, record);
  sweepBuilds(cache.path, folder);
  return present(cache, record, false);
}

function present(cache: CacheFolder, record: CacheRecord, cached: boolean): Bundle {
  const folder = join(cache.path, record.folder);
  leaseBuild(folder);
  return {
    urls: record.outputs.map((output) => pathToFileURL(join(folder, output)).href),
    exports: record.exports,
    inputs: record.inputs.map(([path]) => path),
    cached,
  };
}

/** Written aside and renamed, so that nobody ever imports half a build. */
function store(cache: string, folder: string, files: BuiltModules["files"]): void {
  const target = join(cache, folder);
  const staging = join(cache, `.writing-${process.pid}-${hash(String(performance.now() + Math.random()))}`);
  mkdirSync(staging, { recursive: true });
  for (const file of files) writeFileSync(join(staging, file.name), file.content);
  try {
    renameSync(staging, target);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOTEMPTY" && code !== "EEXIST" && code !== "EPERM") throw error;
    // The same content is there already, from an earlier build or from a server that started beside this one.
    // It may lack files where a cleaning tool has been through it: each is put back in place by a rename of its own.
    for (const file of files) {
      if (statSync(join(target, file.name), { throwIfNoEntry: false }) === undefined) {
        renameSync(join(staging, file.name), join(target, file.name));
      }
    }
    rmSync(staging, { recursive: true, force: true });
  }
}

/** Node calls a module by its real path, so `import.meta.url` has to be that too. */
function realPathOf(file: string): string {
  try {
    return realpathSync(file);
  } catch (error) {
    throw new AppLoadError(file, `There is no file ${file}.`, { cause: error });
  }
}

function hash(content: string | Uint8Array): string {
  return createHash("sha256").update(content).digest("hex").slice(0, 20);
}
