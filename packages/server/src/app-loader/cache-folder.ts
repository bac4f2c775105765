import { accessSync, constants, lstatSync, mkdirSync, realpathSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DuckError } from "@duck-ts/runtime";

/** Where builds are kept. */
export interface CacheFolder {
  readonly path: string;
  /** The `node_modules` that a bare import in a build finds first; null where it would find none. */
  readonly modulesFolder: string | null;
}

/**
 * `node_modules/.cache/duck-ts` beside or above `root`, where packages are found by their bare names and a fresh install
 * takes the cache away; else a folder of this user's own in the system's temporary folder.
 */
export function findCacheFolder(root: string): CacheFolder {
  for (const modules of modulesFoldersAbove(root)) {
    const path = join(modules, ".cache", "duck-ts");
    try {
      mkdirSync(path, { recursive: true });
      accessSync(path, constants.W_OK);
      // By its real name: Node knows modules by theirs, and source maps lead from there to the sources.
      return { path: realpathSync(path), modulesFolder: modules };
    } catch {
      // A read-only installation: the next place is tried.
    }
  }
  return { path: privateTemporaryFolder(root), modulesFolder: null };
}

/** Every `node_modules` folder that Node asks for an import in `folder`, the nearest first. */
export function* modulesFoldersAbove(folder: string): Generator<string> {
  for (let current = folder; ; current = dirname(current)) {
    if (!current.endsWith("node_modules")) {
      const modules = join(current, "node_modules");
      if (statSync(modules, { throwIfNoEntry: false })?.isDirectory()) yield modules;
    }
    if (dirname(current) === current) return;
  }
}

/** Code is run from here, so nobody else may have made it, nor may write to it. */
function privateTemporaryFolder(root: string): string {
  const uid = process.getuid?.();
  const path = join(tmpdir(), `duck-ts-${uid ?? "cache"}`);
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    // No AppLoadError: of a config file that would say that it does not compile.
    throw new DuckError(
      "DUCK_APP_LOAD",
      `There is no place for what is built: no node_modules/.cache above ${root} can be written, nor can ${path} (${(error as NodeJS.ErrnoException).code}). Make one of them writable, or name a folder in TMPDIR.`,
      { cause: error },
    );
  }
  const info = lstatSync(path);
  if (uid !== undefined && (!info.isDirectory() || info.uid !== uid || (info.mode & 0o022) !== 0)) {
    throw new Error(
      `The cache folder ${path} belongs to somebody else or can be written by others. Remove it, or make node_modules writable.`,
    );
  }
  return realpathSync(path);
}
