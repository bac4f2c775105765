import { basename, dirname, relative, resolve } from "node:path";
import { type BuildFailure, build, type Message, stop } from "esbuild";
import { AppLoadError } from "./app-load-error.ts";
import type { BundleEntry } from "./bundle.ts";
import type { CacheFolder } from "./cache-folder.ts";
import { packageImports } from "./package-imports.ts";
import { sourceLocation, sourceLocationDefines, withoutSourceLocation } from "./source-location.ts";

export interface BuiltModules {
  readonly files: readonly { readonly name: string; readonly content: string | Uint8Array }[];
  readonly exports: readonly (readonly string[])[];
  readonly inputs: readonly string[];
}

/** Builds under way in this thread; esbuild's helper process is stopped after the last. */
let underWay = 0;

/**
 * Runs esbuild. What is imported dynamically becomes a file of its own, and what several entries import becomes a
 * shared one: an app and its plugins then have the same instance of a module, and the tasks declared in a module that
 * is imported late have a URL of their own under which other threads find them.
 */
export async function buildModules(options: {
  root: string;
  entries: readonly BundleEntry[];
  cache: CacheFolder;
}): Promise<BuiltModules> {
  const { root, entries, cache } = options;
  // Never written to: with `write: false` it only decides how the source maps' paths look. All lie one folder deep.
  const outdir = resolve(cache.path, "build");
  underWay++;
  try {
    const result = await build({
      absWorkingDir: root,
      entryPoints: entries.map((entry) => ({ in: entry.file, out: entry.name })),
      outdir,
      outExtension: { ".js": ".mjs" },
      chunkNames: "[name]-[hash]",
      assetNames: "[name]-[hash]",
      bundle: true,
      splitting: true,
      format: "esm",
      platform: "node",
      target: "node20.19",
      // Node knows no "module" condition: a package has to be found where Node would find it.
      conditions: ["import", "node"],
      mainFields: ["main"],
      loader: { ".node": "copy" },
      keepNames: true,
      define: sourceLocationDefines,
      plugins: [sourceLocation(), packageImports(cache)],
      sourcemap: "linked",
      sourcesContent: true,
      legalComments: "none",
      logLevel: "silent",
      metafile: true,
      write: false,
    });
    const outputs = Object.entries(result.metafile.outputs);
    return {
      files: result.outputFiles.map((file) => ({
        name: basename(file.path),
        content: file.path.endsWith(".mjs") ? withRequire(file.text) : file.contents,
      })),
      exports: entries.map((entry) => {
        const output = outputs.find(([path]) => resolve(root, path) === resolve(outdir, `${entry.name}.mjs`));
        return output?.[1].exports ?? [];
      }),
      inputs: Object.keys(result.metafile.inputs)
        .filter((input) => !/^[\w-]{2,}:/.test(input))
        .map((input) => resolve(root, input))
        .sort(),
    };
  } catch (error) {
    throw asLoadError(error, root, entries);
  } finally {
    underWay--;
    if (underWay === 0) void stop();
  }
}

/** CommonJS sources call `require`, which an ES module has not. On the first line, so that source maps stay right. */
function withRequire(text: string): string {
  if (!text.includes("var __require =")) return text;
  return `import { createRequire as __duckCreateRequire } from "node:module"; var require = __duckCreateRequire(import.meta.url); ${text}`;
}

function asLoadError(error: unknown, root: string, entries: readonly BundleEntry[]): unknown {
  const failure = error as Partial<BuildFailure>;
  const first = failure.errors?.[0];
  if (first === undefined) return error;
  const file = first.location?.file ? resolve(root, first.location.file) : (entries[0]?.file ?? root);
  const messages = (failure.errors ?? []).map((message) => describe(message, root));
  return new AppLoadError(file, messages.join("\n"));
}

/** `src/app.ts:3:14: Could not resolve "./db.ts"`, and the line itself. */
function describe({ text, location, notes }: Message, root: string): string {
  const lines: string[] = [];
  if (location === null) {
    lines.push(text);
  } else {
    const { lineText, column } = withoutSourceLocation(location.lineText, location.column);
    lines.push(`${relative(root, resolve(root, location.file))}:${location.line}:${column + 1}: ${text}`);
    lines.push(`    ${lineText}`, `    ${" ".repeat(column)}${"^".repeat(Math.max(1, location.length))}`);
  }
  // The way to it as esbuild gives it, relative to the root.
  const unread = /^No loader is configured for "[^"]*" files: (.*)$/.exec(text)?.[1];
  if (unread !== undefined) {
    const from = location === null ? root : dirname(resolve(root, location.file));
    const path = JSON.stringify(`./${relative(from, resolve(root, unread))}`);
    lines.push(
      `  Only code, JSON, .txt and .css can be imported. Read others: readFileSync(new URL(${path}, import.meta.url))`,
    );
  }
  for (const note of notes) if (note.text !== "") lines.push(`  ${note.text}`);
  return lines.join("\n");
}
