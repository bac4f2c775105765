import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

/** `path, time of change, size, hash of the content`; size -1 where there was no such file. */
type FileMark = readonly [path: string, mtimeMs: number, size: number, hash: string];
/** `path, time of change, hash of the names in it`: a file that appears can change what an import finds. */
type FolderMark = readonly [path: string, mtimeMs: number, hash: string];

/** What a build was made of, and what came out. */
export interface CacheRecord {
  readonly folder: string;
  readonly outputs: readonly string[];
  readonly files: readonly string[];
  readonly exports: readonly (readonly string[])[];
  readonly inputs: readonly FileMark[];
  readonly settings: readonly FileMark[];
  readonly folders: readonly FolderMark[];
}

/** The record of an earlier build of the same entries, or null. */
export function readRecord(cache: string, key: string): CacheRecord | null {
  try {
    return JSON.parse(readFileSync(join(cache, `${key}.json`), "utf8")) as CacheRecord;
  } catch {
    return null;
  }
}

/** Renamed into place: a server that starts meanwhile reads the old record or the new one. */
export function writeRecord(cache: string, key: string, record: CacheRecord): void {
  const staging = join(cache, `.${key}-${process.pid}-${Math.random().toString(36).slice(2)}.json`);
  writeFileSync(staging, JSON.stringify(record));
  renameSync(staging, join(cache, `${key}.json`));
}

/** Whether building again would give the same: nothing that went in has changed, and what came out is still there. */
export function isFresh(record: CacheRecord, cache: string): boolean {
  return (
    [...record.inputs, ...record.settings].every(sameFile) &&
    record.folders.every(sameFolder) &&
    record.files.every((file) => existsSync(join(cache, record.folder, file)))
  );
}

/** Marks the inputs, the `tsconfig.json` and `package.json` files that decide how they are read, and their folders. */
export function recordInputs(inputs: readonly string[]): Pick<CacheRecord, "inputs" | "settings" | "folders"> {
  const folders = new Set(inputs.map((input) => dirname(input)));
  const settings = new Set<string>();
  for (const folder of folders) {
    for (const above of foldersAbove(folder)) {
      for (const name of ["tsconfig.json", "package.json"]) collectSettings(join(above, name), settings);
      // What lies above a package's root is asked for tsconfig.json only by a monorepo; its folders are not watched.
      if (existsSync(join(above, "node_modules"))) break;
    }
  }
  return {
    inputs: inputs.map(markFile),
    settings: [...settings].sort().map(markFile),
    folders: [...folders].sort().map(markFolder),
  };
}

/** A settings file, there or not, and what it extends. */
function collectSettings(file: string, into: Set<string>): void {
  if (into.has(file)) return;
  into.add(file);
  if (!file.endsWith(".json") || file.endsWith("package.json") || !existsSync(file)) return;
  const extended = /"extends"\s*:\s*(\[[^\]]*\]|"[^"]*")/.exec(readFileSync(file, "utf8"))?.[1] ?? "";
  for (const [, path] of extended.matchAll(/"([^"]+)"/g)) {
    if (path === undefined || !/^\.{0,2}\//.test(path)) continue;
    collectSettings(resolve(dirname(file), path.endsWith(".json") ? path : `${path}.json`), into);
  }
}

function* foldersAbove(folder: string): Generator<string> {
  for (let current = folder; ; current = dirname(current)) {
    yield current;
    if (dirname(current) === current) return;
  }
}

function markFile(path: string): FileMark {
  const info = statSync(path, { throwIfNoEntry: false });
  return info === undefined ? [path, 0, -1, ""] : [path, info.mtimeMs, info.size, hash(readFileSync(path))];
}

function sameFile([path, mtimeMs, size, content]: FileMark): boolean {
  const info = statSync(path, { throwIfNoEntry: false });
  if (info === undefined) return size === -1;
  if (info.mtimeMs === mtimeMs && info.size === size) return true;
  // Touched but not changed: a fresh checkout, a container's layer.
  return info.size === size && hash(readFileSync(path)) === content;
}

function markFolder(path: string): FolderMark {
  return [path, statSync(path).mtimeMs, namesIn(path)];
}

function sameFolder([path, mtimeMs, names]: FolderMark): boolean {
  const info = statSync(path, { throwIfNoEntry: false });
  if (info === undefined) return false;
  return info.mtimeMs === mtimeMs || namesIn(path) === names;
}

function namesIn(folder: string): string {
  return hash(readdirSync(folder).sort().join("\0"));
}

function hash(content: string | Uint8Array): string {
  return createHash("sha256").update(content).digest("hex").slice(0, 20);
}
