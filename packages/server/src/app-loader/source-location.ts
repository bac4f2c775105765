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
  "import.meta.resolve": "__duckResolve",
  __filename: "__duckSourceFile",
  __dirname: "__duckSourceFolder",
};

/** Stands between what is added to a file and what its author wrote. */
const mark = "/* duck-ts */ ";

/** Relative to the source; what is bare is looked for from the bundle, which lies in the same node_modules. */
const resolver =
  "__duckMeta = import.meta, " +
  "__duckResolve = (specifier) => __duckMeta.resolve(/^\\.{0,2}\\//.test(specifier) ? new URL(specifier, __duckSourceUrl).href : specifier)";

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
        // Only where it is asked for: a CommonJS file that says import.meta would be taken for an ES module.
        if (source.includes("import.meta.resolve")) values.push(resolver);
        // On the first line, so that every line keeps its number.
        const shebang = /^#!.*\n?/.exec(source)?.[0] ?? "";
        const contents = `${shebang === "" ? "" : "\n"}const ${values.join(", ")}; ${mark}${source.slice(shebang.length)}`;
        return { contents, loader: loaders[extname(path)] ?? "js" };
      });
    },
  };
}

/** A line as its author wrote it, for messages. */
export function withoutSourceLocation(lineText: string, column: number): { lineText: string; column: number } {
  const end = lineText.indexOf(mark);
  const added = end === -1 ? 0 : end + mark.length;
  return { lineText: lineText.slice(added), column: Math.max(0, column - added) };
}
