/** A program in a bundle: with the packages left out it serves, with them inside it is told at once what to do. */
import { spawnSync } from "node:child_process";
import { symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { build } from "esbuild";
import { expect, test } from "vitest";
import { appFolder } from "./support/command.ts";

const runtime = createRequire(import.meta.url).resolve("@duck-ts/runtime/package.json");

const program = `
  import { createServer, getOrCreateLoopManager, task, currentThread } from "@duck-ts/server";
  const double = task(function double(n: number) { return n * 2; });
  async function main() {
    const loop = getOrCreateLoopManager("own").start();
    console.log(await loop.submitTask(double(21)));
    await loop.stop();
    const server = await createServer({ app: "./app.ts", log: { level: "silent" } }, { root: process.cwd() });
    console.log((await server.inject("/")).body);
    await server.close();
  }
  if (currentThread().kind === "main") main();`;

async function run(format: "esm" | "cjs", external: string[]): Promise<{ stdout: string; stderr: string }> {
  const folder = appFolder({ "main.ts": program, "app.ts": "export default { fetch: () => new Response('served') };" });
  symlinkSync(dirname(runtime), join(folder, "node_modules/@duck-ts/runtime"));
  const outfile = join(folder, format === "esm" ? "out.mjs" : "out.cjs");
  await build({
    entryPoints: [join(folder, "main.ts")],
    bundle: true,
    platform: "node",
    format,
    external,
    outfile,
    logLevel: "silent",
    ...(format === "esm" && {
      banner: { js: `import{createRequire as requireFrom}from"module";const require=requireFrom(import.meta.url);` },
    }),
  });
  return spawnSync(process.execPath, [outfile], { cwd: folder, encoding: "utf8", timeout: 30_000 });
}

test.each(["esm", "cjs"] as const)("%s, the packages left out", async (format) => {
  expect(await run(format, ["@duck-ts/*"])).toMatchObject({ stdout: "42\nserved\n", stderr: "" });
});

test.each(["esm", "cjs"] as const)("%s, the packages inside", async (format) => {
  const { stderr } = await run(format, []);
  expect(stderr).toMatch(/DuckError: .*Leave the packages out of .*--external:@duck-ts\/\*/);
});
