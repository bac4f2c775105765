import { execFile } from "node:child_process";
import { chmodSync, readdirSync, statSync, symlinkSync, utimesSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { AppLoadError, type PreparedApp, prepareApp } from "../src/app-loader/index.ts";
import { temporaryFolder, write } from "./support/temporary-folder.ts";

const prepare = (root: string, plugins: string[] = []): Promise<PreparedApp> =>
  prepareApp({ root, app: join(root, "src/app.ts"), pluginWorkers: plugins.map((plugin) => join(root, plugin)) });

/** What the module at `url` exports, seen by a Node process of its own: vite has no part in it. */
async function importInNode(url: string, what = "module.default"): Promise<unknown> {
  const script = `process.setSourceMapsEnabled(true); const module = await import(${JSON.stringify(url)}); console.log(JSON.stringify(await (${what})));`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", script]);
  return JSON.parse(stdout);
}

/** The same in a worker thread. */
async function importInWorker(url: string, what = "module.default"): Promise<unknown> {
  const script = `
    import { parentPort } from "node:worker_threads";
    process.setSourceMapsEnabled(true);
    const module = await import(${JSON.stringify(url)});
    parentPort.postMessage(await (${what}));`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(script)}`));
  return new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
}

async function failure(promise: Promise<unknown>): Promise<AppLoadError> {
  const error = await promise.catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(AppLoadError);
  return error as AppLoadError;
}

describe("a plugin's worker side", () => {
  it.each(["onWorkerStrat", "onworkerstop", "onWorkerReady"])(
    "that exports %s is told of, since nothing would ever call it",
    async (name) => {
      const root = temporaryFolder({
        "src/app.ts": "export default { routes: [] };",
        "db.ts": `export const on = 1, state = {}; export function ${name}(): void {}`,
      });
      const { message, file } = await failure(prepare(root, ["db.ts"]));
      expect([message, file]).toEqual([
        expect.stringMatching(
          new RegExp(`^db\\.ts, the worker side of a plugin, exports ${name}; expected onWorkerStart or onWorkerStop`),
        ),
        join(root, "db.ts"),
      ]);
      expect(message.includes("did you mean onWorkerSt")).toBe(name !== "onWorkerReady");
    },
  );

  it("may export whatever it likes beside its hooks, or nothing but that", async () => {
    const app = { "src/app.ts": "export default { routes: [] };" };
    const root = temporaryFolder({
      ...app,
      "db.ts": "export const on = 1, start = 2; export function onWorkerStop() {}",
      "side.ts": "export {};",
    });
    expect((await prepare(root, ["db.ts", "side.ts"])).pluginWorkers).toHaveLength(2);
  });
});

describe("a TypeScript app", () => {
  it("can be imported on main and in a worker, with no build step", async () => {
    const root = temporaryFolder({
      "src/app.ts": `import { double } from "./double.ts"; import type { Unused } from "./gone.ts";
        enum Colour { Red = "red" } export default { four: double(2), red: Colour.Red };`,
      "src/double.ts": "export const double = (n: number): number => n * 2;",
    });
    const { url } = await prepare(root);
    expect(await importInNode(url)).toEqual({ four: 4, red: "red" });
    expect(await importInWorker(url)).toEqual({ four: 4, red: "red" });
  });

  it("shows .ts files and lines in its stacks, on main and in workers", async () => {
    const root = temporaryFolder({
      "src/app.ts": `import { fail } from "./deep/fail.ts";\nexport default { fail };`,
      "src/deep/fail.ts": "// one\n// two\nexport function fail(): never {\n  throw new Error('here');\n}",
      "src/first.ts": "",
    });
    const { url } = await prepare(root);
    const stack = "(() => { try { module.default.fail() } catch (error) { return error.stack } })()";
    const place = new RegExp(`fail \\((file://)?${join(root, "src/deep/fail.ts")}:4:9\\)`);
    expect(await importInNode(url, stack)).toMatch(place);
    expect(await importInWorker(url, stack)).toMatch(place);
  });

  it("shows them also where node_modules is a link to elsewhere", async () => {
    const elsewhere = temporaryFolder({
      "node_modules/pkg/package.json": `{"exports":"./main.js"}`,
      "node_modules/pkg/main.js": "module.exports = 1",
    });
    const root = temporaryFolder({
      "src/app.ts": "import one from 'pkg';\nexport default { one, fail() { throw new Error('here'); } };",
    });
    symlinkSync(join(elsewhere, "node_modules"), join(root, "node_modules"));
    const { url } = await prepare(root);
    const stack = "(() => { try { module.default.fail() } catch (error) { return error.stack } })()";
    expect(await importInNode(url, stack)).toContain(`${join(root, "src/app.ts")}:2:38`);
  });

  it("keeps its line numbers in a file that asks for its own place", async () => {
    const root = temporaryFolder({
      "src/app.ts":
        "#!/usr/bin/env node\nconst here = import.meta.url;\nexport default { fail() { throw new Error(here); } };",
    });
    const { url } = await prepare(root);
    const stack = await importInNode(
      url,
      "(() => { try { module.default.fail() } catch (error) { return error.stack } })()",
    );
    expect(stack).toContain(`${join(root, "src/app.ts")}:3:33`);
  });

  it("gives each file its own import.meta.url, dirname, filename and __dirname", async () => {
    const root = temporaryFolder({
      "src/app.ts": `import { place } from "./deep/place.ts";
        export default [import.meta.url, import.meta.dirname, import.meta.filename, __dirname, __filename, ...place];`,
      "src/deep/place.ts": `import { dirname } from "node:path"; import { fileURLToPath } from "node:url";
        const __dirname = dirname(fileURLToPath(import.meta.url)); export const place = [import.meta.url, __dirname];`,
    });
    const app = join(root, "src/app.ts");
    const place = join(root, "src/deep/place.ts");
    expect(await importInNode((await prepare(root)).url)).toEqual([
      pathToFileURL(app).href,
      dirname(app),
      app,
      dirname(app),
      app,
      pathToFileURL(place).href,
      dirname(place),
    ]);
  });

  it("resolves relative to the file that asks", async () => {
    const root = temporaryFolder({
      "src/app.ts": `import { found } from "./deep/resolve.ts"; export default found;`,
      "src/deep/resolve.ts": `export const found = [import.meta.resolve("./data.json"), import.meta.resolve("node:fs"), import.meta.resolve("pkg")];`,
      "node_modules/pkg/package.json": `{"exports":"./main.js"}`,
      "node_modules/pkg/main.js": "",
    });
    expect(await importInNode((await prepare(root)).url)).toEqual([
      pathToFileURL(join(root, "src/deep/data.json")).href,
      "node:fs",
      pathToFileURL(join(root, "node_modules/pkg/main.js")).href,
    ]);
  });

  it("may import JSON, CommonJS and late", async () => {
    const root = temporaryFolder({
      "src/app.ts": `import data from "./data.json" with { type: "json" }; import old from "./old.cjs";
        export default { data, old, late: async () => (await import("./late.ts")).late };`,
      "src/data.json": `{"a":1}`,
      "src/old.cjs": `const path = require("node:path"); module.exports = { base: path.basename(__filename), pkg: require("cjs-pkg") };`,
      "src/late.ts": "export const late: string = await Promise.resolve(import.meta.url);",
      "node_modules/cjs-pkg/package.json": `{"main":"./main.js"}`,
      "node_modules/cjs-pkg/main.js": "module.exports = 'cjs-pkg';",
    });
    const { url } = await prepare(root);
    expect(await importInNode(url)).toEqual({ data: { a: 1 }, old: { base: "old.cjs", pkg: "cjs-pkg" } });
    expect(await importInNode(url, "module.default.late()")).toBe(pathToFileURL(join(root, "src/late.ts")).href);
  });

  it("may import by a pattern", async () => {
    const root = temporaryFolder({
      "src/app.ts": "export default async (name: string) => (await import('./words/' + name + '.ts')).word;",
      "src/words/en.ts": "export const word = 'duck';",
      "src/words/de.ts": "export const word = 'Ente';",
    });
    expect(await importInNode((await prepare(root)).url, "module.default('de')")).toBe("Ente");
  });

  it("may make a require of its own", async () => {
    const root = temporaryFolder({
      "src/app.ts": `import { createRequire } from "node:module"; import other from "./other.cjs";
        const require = createRequire(import.meta.url); export default [require("./data.json").a, other];`,
      "src/other.cjs": `module.exports = require("node:os").EOL;`,
      "src/data.json": `{"a":1}`,
    });
    expect(await importInNode((await prepare(root)).url)).toEqual([1, "\n"]);
  });

  it("is read as its tsconfig.json says: paths, JSX, decorators", async () => {
    const root = temporaryFolder({
      "tsconfig.json": `{ "extends": "./base.json", "compilerOptions": { "jsx": "react-jsx", "jsxImportSource": "tiny" } }`,
      "base.json": `{ "compilerOptions": { "paths": { "#lib/*": ["./lib/*"], "~/*": ["./src/*"] }, "experimentalDecorators": true } }`,
      "lib/one.ts": "export const one = 1;",
      "src/two.ts": "export const two = 2;",
      "src/view.tsx": "export const view = <p>hello</p>;",
      "src/app.ts": `import { one } from "#lib/one.ts"; import { two } from "~/two.ts"; import { view } from "./view.tsx";
        const mark = (c: { marked?: boolean }): void => { c.marked = true; }; @mark class A { static marked?: boolean }
        export default [one, two, view, A.marked];`,
      "node_modules/tiny/package.json": `{"type":"module","exports":{"./jsx-runtime":"./jsx.js"}}`,
      "node_modules/tiny/jsx.js": "export const jsx = (tag, props) => '<' + tag + '>' + props.children;",
    });
    expect(await importInNode((await prepare(root)).url)).toEqual([1, 2, "<p>hello", true]);
  });

  it("may say in a file of its own how its JSX is made, also where that file asks for its place", async () => {
    const root = temporaryFolder({
      "src/app.ts": `import { view } from "./view.jsx"; export default view;`,
      "src/view.jsx":
        "/** @jsxRuntime automatic @jsxImportSource tiny */\nexport const view = <p>{typeof import.meta.url}</p>;",
      "node_modules/tiny/package.json": `{"type":"module","exports":{"./jsx-runtime":"./jsx.js"}}`,
      "node_modules/tiny/jsx.js": "export const jsx = (tag, props) => '<' + tag + '>' + props.children;",
    });
    expect(await importInNode((await prepare(root)).url)).toBe("<p>string");
  });

  it("keeps the names of its functions and classes", async () => {
    const root = temporaryFolder({
      "src/app.ts":
        "import { fetchUser as other } from './other.ts'; function fetchUser() {} export default [fetchUser.name, other.name];",
      "src/other.ts": "export function fetchUser() {}",
    });
    expect(await importInNode((await prepare(root)).url)).toEqual(["fetchUser", "fetchUser"]);
  });

  it("shares modules with the worker modules of its plugins", async () => {
    const root = temporaryFolder({
      "src/app.ts": `import { state } from "./state.ts"; export default state;`,
      "src/state.ts": "export const state = { started: 0 };",
      "plugins/start.ts": `import { state } from "../src/state.ts"; export function onWorkerStart(): void { state.started++; }`,
    });
    const { url, pluginWorkers } = await prepare(root, ["plugins/start.ts"]);
    const start = `import(${JSON.stringify(pluginWorkers[0])}).then((plugin) => { plugin.onWorkerStart(); return module.default; })`;
    expect(await importInWorker(url, start)).toEqual({ started: 1 });
  });

  it("leaves a plugin that comes as a package as it is", async () => {
    const root = temporaryFolder({
      "src/app.ts": "export default 1",
      "node_modules/plug/worker.js": "",
      "plugins/own.ts": "export function onWorkerStop(): void {}",
    });
    const { pluginWorkers } = await prepare(root, ["node_modules/plug/worker.js", "plugins/own.ts"]);
    expect(pluginWorkers[0]).toBe(pathToFileURL(join(root, "node_modules/plug/worker.js")).href);
    expect(fileURLToPath(pluginWorkers[1] ?? "")).toMatch(/plugin-0\.mjs$/);
  });
});

describe("packages", () => {
  it("stay outside: a package has one instance, the one Node finds", async () => {
    const root = temporaryFolder({
      "src/app.ts": `import { where } from "esm-pkg"; export default where;`,
      "node_modules/esm-pkg/package.json": `{"type":"module","exports":{"module":"./wrong.js","import":"./right.js","default":"./wrong.js"}}`,
      "node_modules/esm-pkg/right.js": "export const where = import.meta.url;",
    });
    expect(await importInNode((await prepare(root)).url)).toBe(
      pathToFileURL(join(root, "node_modules/esm-pkg/right.js")).href,
    );
  });

  it("are found by the file that imports them, also outside the app's folder", async () => {
    const workspace = temporaryFolder({
      "app/src/app.ts": `import { mine } from "../../lib/src/lib.ts"; import version from "pkg"; export default [mine, version];`,
      "app/node_modules/pkg/package.json": `{"type":"module","exports":"./main.js"}`,
      "app/node_modules/pkg/main.js": "export default 'of the app';",
      "lib/src/lib.ts": `import version from "pkg"; export const mine = version;`,
      "lib/node_modules/pkg/package.json": `{"type":"module","exports":"./main.js"}`,
      "lib/node_modules/pkg/main.js": "export default 'of the lib';",
    });
    expect(await importInNode((await prepare(join(workspace, "app"))).url)).toEqual(["of the lib", "of the app"]);
  });

  it("of a workspace are bundled when they are TypeScript, and left alone when they are not", async () => {
    const workspace = temporaryFolder({
      "app/src/app.ts": `import { a } from "@ws/typed"; import { b } from "@ws/plain"; export default [a, b];`,
      "app/node_modules/@ws/.keep": "",
      "typed/package.json": `{"type":"module","exports":"./index.ts"}`,
      "typed/index.ts": "export const a: string = import.meta.url;",
      "plain/package.json": `{"type":"module","exports":"./index.js"}`,
      "plain/index.js": "export const b = import.meta.url;",
    });
    symlinkSync(join(workspace, "typed"), join(workspace, "app/node_modules/@ws/typed"));
    symlinkSync(join(workspace, "plain"), join(workspace, "app/node_modules/@ws/plain"));
    const prepared = await prepare(join(workspace, "app"));
    expect(await importInNode(prepared.url)).toEqual([
      pathToFileURL(join(workspace, "typed/index.ts")).href,
      pathToFileURL(join(workspace, "plain/index.js")).href,
    ]);
    expect(prepared.inputs).toContain(join(workspace, "typed/index.ts"));
    expect(prepared.inputs).not.toContain(join(workspace, "plain/index.js"));
  });

  it("may be absent when they are imported late", async () => {
    const root = temporaryFolder({
      "src/app.ts": `export default await import("not-installed").then(() => "there", (error) => error.code);`,
      "node_modules/.keep": "",
    });
    expect(await importInNode((await prepare(root)).url)).toBe("ERR_MODULE_NOT_FOUND");
  });

  it("are found although node_modules cannot be written", async () => {
    const root = temporaryFolder({
      "src/app.ts": `import { one } from "esm-pkg"; export default one;`,
      "node_modules/esm-pkg/package.json": `{"type":"module","exports":"./main.js"}`,
      "node_modules/esm-pkg/main.js": "export const one = 1;",
      // A file where the folder should be: root, as whom tests may run, writes past every permission.
      "node_modules/.cache": "",
    });
    chmodSync(join(root, "node_modules"), 0o555);
    const { url } = await prepare(root);
    chmodSync(join(root, "node_modules"), 0o755);
    expect(fileURLToPath(url).startsWith(root)).toBe(false);
    expect(await importInNode(url)).toBe(1);
  });
});

describe("the cache", () => {
  const files = {
    "src/app.ts": `import { n } from "./n.ts"; export default n;`,
    "src/n.ts": "export const n = 1;",
    "node_modules/.keep": "",
  };

  it("serves a second start without building", async () => {
    const root = temporaryFolder(files);
    const first = await prepare(root);
    const second = await prepare(root);
    expect([first.cached, second.cached]).toEqual([false, true]);
    expect(second.url).toBe(first.url);
    expect(fileURLToPath(first.url).startsWith(join(root, "node_modules/.cache/duck-ts/"))).toBe(true);
  });

  it("sees a change in any source, and gives what changed another URL", async () => {
    const root = temporaryFolder(files);
    const first = await prepare(root);
    write(root, { "src/n.ts": "export const n = 2;" });
    const second = await prepare(root);
    expect(second.cached).toBe(false);
    expect(second.url).not.toBe(first.url);
    expect(await importInNode(second.url)).toBe(2);
    expect(await importInNode(first.url)).toBe(1);
  });

  it("gives back the old URL when the change is taken back", async () => {
    const root = temporaryFolder(files);
    const first = await prepare(root);
    write(root, { "src/n.ts": "export const n = 2;" });
    await prepare(root);
    write(root, files);
    expect((await prepare(root)).url).toBe(first.url);
  });

  it("is not fooled by a file that was only touched", async () => {
    const root = temporaryFolder(files);
    await prepare(root);
    utimesSync(join(root, "src/n.ts"), new Date(), new Date());
    expect((await prepare(root)).cached).toBe(true);
  });

  it("sees a file that appears, and a tsconfig.json that changes", async () => {
    const root = temporaryFolder({ ...files, "tsconfig.json": "{}" });
    await prepare(root);
    write(root, { "src/new.ts": "" });
    expect((await prepare(root)).cached).toBe(false);
    write(root, { "tsconfig.json": `{ "compilerOptions": {} }` });
    expect((await prepare(root)).cached).toBe(false);
    expect((await prepare(root)).cached).toBe(true);
  });

  it("is built again when its files have been removed", async () => {
    const root = temporaryFolder(files);
    const { url } = await prepare(root);
    const { rmSync } = await import("node:fs");
    rmSync(dirname(fileURLToPath(url)), { recursive: true });
    expect(await prepare(root)).toMatchObject({ url, cached: false });
    expect(await importInNode(url)).toBe(1);
  });

  it("lets servers start at the same moment", async () => {
    const root = temporaryFolder(files);
    const prepared = await Promise.all(Array.from({ length: 6 }, () => prepare(root)));
    expect(new Set(prepared.map(({ url }) => url)).size).toBe(1);
    const cache = join(root, "node_modules/.cache/duck-ts");
    expect(readdirSync(cache).filter((name) => name.startsWith("."))).toEqual([]);
  });

  it("forgets builds that nobody has used for a day, but none that a living process uses", async () => {
    const root = temporaryFolder(files);
    const old = dirname(fileURLToPath((await prepare(root)).url));
    const longAgo = new Date(Date.now() - 25 * 60 * 60 * 1000);
    write(root, { "src/n.ts": "export const n = 2;" });
    utimesSync(old, longAgo, longAgo);
    await prepare(root);
    expect(statSync(old).isDirectory()).toBe(true);

    const lease = readdirSync(old).find((name) => name.startsWith("lease-")) ?? "";
    const { renameSync } = await import("node:fs");
    // The lease of a process that has ended: no process has this number.
    renameSync(join(old, lease), join(old, lease.replace(String(process.pid), "4194305")));
    utimesSync(old, longAgo, longAgo);
    write(root, { "src/n.ts": "export const n = 3;" });
    await prepare(root);
    expect(statSync(old, { throwIfNoEntry: false })).toBeUndefined();
  });
});

describe("an app that cannot be used", () => {
  it("names the file that is not there", async () => {
    const root = temporaryFolder();
    expect((await failure(prepare(root))).message).toBe(`There is no file ${join(root, "src/app.ts")}.`);
  });

  it("names file, line and column of what does not compile", async () => {
    const root = temporaryFolder({
      "src/app.ts": `import "./broken.ts"; export default 1`,
      "src/broken.ts": "\nconst = 5;",
    });
    const error = await failure(prepare(root));
    expect(error.message).toContain("src/broken.ts:2:7: Expected identifier but found");
    expect(error.message).toContain("    const = 5;\n          ^");
    expect(error.file).toBe(join(root, "src/broken.ts"));
  });

  it("shows the line as it was written, also where the file asks for its own place", async () => {
    const root = temporaryFolder({ "src/app.ts": `export default import.meta.url; const = 5;` });
    const { message } = await failure(prepare(root));
    expect(message).toContain("src/app.ts:1:39: Expected identifier");
    expect(message).toContain("\n    export default import.meta.url; const = 5;\n");
  });

  it("names the import that cannot be found", async () => {
    const root = temporaryFolder({ "src/app.ts": `import "./gone.ts";\nimport "gone-pkg"; export default 1` });
    const { message } = await failure(prepare(root));
    expect(message).toContain('src/app.ts:1:8: Could not resolve "./gone.ts"');
    expect(message).toContain('src/app.ts:2:8: Could not find the package "gone-pkg". Is it installed?');
  });

  it("says how to come by a file of another kind", async () => {
    const app = `import text from "./sql/all.sql";\nexport default text;`;
    const root = temporaryFolder({ "src/app.ts": app, "src/sql/all.sql": "select 1" });
    const { message } = await failure(prepare(root));
    expect(message).toContain('src/app.ts:1:18: No loader is configured for ".sql" files: src/sql/all.sql\n');
    expect(message).toContain('Read others: readFileSync(new URL("./sql/all.sql", import.meta.url))');
  });

  it("says that the default export is missing", async () => {
    const root = temporaryFolder({ "src/app.ts": "export const app = 1;" });
    expect((await failure(prepare(root))).message).toBe(
      "src/app.ts has no default export. Write: export default defineApp({ routes: [...] })",
    );
  });
});
