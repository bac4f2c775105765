// Builds the package in the current directory: esbuild writes the JavaScript, tsc the declarations.
// Run by each package's `build` script, so that turbo can order and cache the packages.
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { build } from "esbuild";
import { tool } from "./tool.mjs";

const manifest = JSON.parse(readFileSync("package.json", "utf8"));
const { entries = [], alone = [], inline = [] } = manifest.duck ?? {};
const dependencies = Object.keys(manifest.dependencies ?? {});
const missing = [...entries, ...alone].filter((entry) => !existsSync(entry));
if (entries.length === 0 || missing.length > 0) {
  console.error(
    `${manifest.name}: package.json names ${missing.length > 0 ? `${missing.join(", ")}, which is not there` : "no entries to build (duck.entries)"}`,
  );
  process.exit(1);
}

// Everything is built aside and put in place by one rename: whoever reads dist meanwhile sees the old files
// or the new ones, and no file survives whose source is gone.
const staging = `.dist-${process.pid}`;
let failed = false;
try {
  const common = {
    outdir: staging,
    outbase: "src",
    bundle: true,
    platform: "node",
    target: "node20.19",
    sourcemap: "linked",
    sourcesContent: true,
    legalComments: "none",
    logLevel: "warning",
    write: false,
  };
  const shared = await build({
    ...common,
    entryPoints: entries,
    chunkNames: "[name]-[hash]",
    splitting: true,
    // What is inlined is a tenth of its package, in one file; loading the whole of it takes a thread longer.
    external: dependencies.filter((name) => !inline.includes(name)),
    format: "esm",
    plugins: [oneChunk(entries.filter((entry) => /^src\/(index|internal)\.ts$/.test(entry)))],
  });
  // What a thread starts with that loads nothing else of ours, each with all it needs in one CommonJS file: a thread
  // that needs no loader for ES modules is up some milliseconds earlier.
  const single = await build({
    ...common,
    entryPoints: alone,
    external: dependencies.filter((name) => !name.startsWith("@duck-ts/")),
    format: "cjs",
    outExtension: { ".js": ".cjs" },
    alias: { "@duck-ts/runtime": "../runtime/src" },
    define: { "import.meta.url": "__moduleUrl" },
    banner: { js: 'const __moduleUrl = require("node:url").pathToFileURL(__filename).href;' },
  });

  for (const file of [...shared.outputFiles, ...single.outputFiles]) {
    mkdirSync(dirname(file.path), { recursive: true });
    writeFileSync(file.path, file.contents);
  }

  for (const name of inline) {
    mkdirSync(join(staging, "licenses"), { recursive: true });
    copyFileSync(join("node_modules", name, "LICENSE"), join(staging, "licenses", `${name}.txt`));
  }

  const types = spawnSync(process.execPath, [tool("typescript", "tsc"), "-p", "tsconfig.json", "--outDir", staging], {
    stdio: "inherit",
  });
  failed = types.status !== 0;

  // tsc leaves "./x.ts" in declarations as it was written; they shall name what is shipped. Lines of doc comments stay.
  for (const name of readdirSync(staging, { recursive: true }).filter((file) => file.endsWith(".d.ts"))) {
    const file = join(staging, name);
    const text = readFileSync(file, "utf8");
    const shipped = text.replace(/^(?!\s*(?:\/?\*|\/\/)).*$/gm, (line) =>
      line.replace(/((?:from|import)\s*\(?\s*)"(\.{1,2}\/[^"]+)\.ts"/g, '$1"$2.js"'),
    );
    if (shipped !== text) writeFileSync(file, shipped);
  }

  // A type error fails the build, but its JavaScript is put in place: it can be tried while the types are mended.
  rmSync("dist", { recursive: true, force: true });
  renameSync(staging, "dist");
} catch (error) {
  // esbuild has printed its own diagnostics already.
  if (!Array.isArray(error?.errors)) console.error(error);
  failed = true;
} finally {
  rmSync(staging, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);

/**
 * Lets every entry reach all that the package offers, so that esbuild puts that into one chunk and not into one for each
 * set of entries that share something: a file more costs a thread a millisecond when it starts.
 */
function oneChunk(offered) {
  return {
    name: "one-chunk",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /./ }, ({ kind, path }) =>
        kind === "entry-point" ? { path, namespace: "whole" } : undefined,
      );
      onLoad({ filter: /./, namespace: "whole" }, ({ path }) => ({
        contents: [
          ...offered.map((file) => `import "./${file}";`),
          `export * from "./${path}";`,
          ...(/^export default /m.test(readFileSync(path, "utf8")) ? [`export { default } from "./${path}";`] : []),
        ].join("\n"),
        resolveDir: process.cwd(),
      }));
    },
  };
}
