import { readFile } from "node:fs/promises";
import { dirname, extname } from "node:path";
import { pathToFileURL } from "node:url";
import type { Loader, Plugin } from "esbuild";

/**
 * In a bundle every module has the bundle's `import.meta.url`; `new URL("./page.html", import.meta.url)` would look in
 * the cache. So what a module says of its own place becomes a name, and each file that uses one gets its values.
 */
export const sourceLocationDefines: Readonly<Record<string, string>> = {
  "import.meta.url": "__duckSourceUrl",
  "import.meta.filename": "__duckSourceFile",
  "import.meta.dirname": "__duckSourceFolder",
  __filename: "__duckSourceFile",
  __dirname: "__duckSourceFolder",
};

const loaders: Readonly<Record<string, Loader>> = {
  ".ts": "ts",
  ".mts": "ts",
  ".cts": "ts",
  ".tsx": "tsx",
  ".jsx": "jsx",
};

export function sourceLocation(): Plugin {
  return {
    name: "duck-ts:source-location",
    setup(build) {
      build.onLoad({ filter: /\.[cm]?[jt]sx?$/, namespace: "file" }, async ({ path }) => {
        const source = await readFile(path, "utf8");
        if (!/import\.meta|__dirname|__filename/.test(source)) return undefined;
        const values = [
          `__duckSourceUrl = ${JSON.stringify(pathToFileURL(path).href)}`,
          `__duckSourceFile = ${JSON.stringify(path)}`,
          `__duckSourceFolder = ${JSON.stringify(dirname(path))}`,
        ];
        // On the first line, so that every line keeps its number.
        const shebang = /^#!.*\n?/.exec(source)?.[0] ?? "";
        const contents = `${shebang === "" ? "" : "\n"}const ${values.join(", ")}; ${source.slice(shebang.length)}`;
        return { contents, loader: loaders[extname(path)] ?? "js" };
      });
    },
  };
}

/** A line as its author wrote it, for messages. */
export function withoutSourceLocation(lineText: string, column: number): { lineText: string; column: number } {
  const added =
    /^const __duckSourceUrl = "[^"]*", __duckSourceFile = "[^"]*", __duckSourceFolder = "[^"]*"; /.exec(lineText)?.[0]
      .length ?? 0;
  return { lineText: lineText.slice(added), column: Math.max(0, column - added) };
}
