import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { AppLoadError } from "../app-loader/app-load-error.ts";
import { bundleModules } from "../app-loader/bundle.ts";
import { ConfigError } from "./config-error.ts";
import { describeValue } from "./problems.ts";
import type { DuckConfig } from "./types.ts";

/** A config file that was found and imported. */
export interface LoadedConfig {
  readonly config: DuckConfig;
  /** Its absolute path. */
  readonly file: string;
  /** Its folder, which relative paths in it are relative to. */
  readonly root: string;
}

/** The first of `duck.config.{ts,mts,cts,js,mjs,cjs,json}` in `folder`, or null. */
export function findConfigFile(folder: string): string | null {
  const candidates = ["ts", "mts", "cts", "js", "mjs", "cjs", "json"].map((ending) =>
    join(folder, `duck.config.${ending}`),
  );
  return candidates.find((candidate) => existsSync(candidate)) ?? null;
}

/**
 * Imports a config file, through esbuild where it has changed since it was last built. Without `file`, looks for one
 * in `cwd`; null where there is none.
 * @throws ConfigError where the file named is missing, does not compile, throws, or has no usable default export.
 */
export async function loadConfigFile(options: {
  cwd: string;
  file?: string | undefined;
}): Promise<LoadedConfig | null> {
  const file = options.file === undefined ? findConfigFile(options.cwd) : resolve(options.cwd, options.file);
  if (file === null) return null;
  if (!existsSync(file)) {
    throw new ConfigError([
      {
        source: "the command line",
        path: "--config",
        found: `${describeValue(options.file)}, and no such file: ${file}`,
        expected: "a config file",
      },
    ]);
  }
  const root = dirname(file);
  const url = await compile(root, file);
  const module = await importConfig(url, file);
  if (module.default === undefined) {
    const named = Object.keys(module).map((name) => `"${name}"`);
    throw new ConfigError([
      {
        source: file,
        path: "",
        found: named.length === 0 ? "no exports" : `the exports ${named.join(", ")}`,
        expected: "a default export: export default defineConfig({ ... })",
      },
    ]);
  }
  return { config: module.default as DuckConfig, file, root };
}

async function compile(root: string, file: string): Promise<string> {
  try {
    const { urls } = await bundleModules({ root, entries: [{ file, name: "config" }] });
    return urls[0] as string;
  } catch (error) {
    if (!(error instanceof AppLoadError)) throw error;
    throw new ConfigError([{ source: file, path: "", found: error.message, expected: "a module that compiles" }], {
      cause: error,
    });
  }
}

async function importConfig(url: string, file: string): Promise<Record<string, unknown>> {
  try {
    return (await import(url)) as Record<string, unknown>;
  } catch (error) {
    const shown = error instanceof Error ? (error.stack ?? String(error)) : describeValue(error);
    throw new ConfigError(
      [
        {
          source: file,
          path: "",
          found: `that importing it throws ${shown}`,
          expected: "a module that can be imported",
        },
      ],
      {
        cause: error,
      },
    );
  }
}
