import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { TaskRef } from "@duck-ts/runtime/internal";
import { type BuildOptions, build } from "esbuild";
import { afterAll, describe, expect, test } from "vitest";
import { fixturePath, inWorker, refsOf } from "./fixtures/task-worker/in-worker.ts";

const folder = mkdtempSync(join(tmpdir(), "duck-bundles-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let count = 0;
/** Bundles the fixture, this library's own copy inside, and gives the bundle's url. */
async function bundle(options: BuildOptions = {}, entry = "entry.mjs"): Promise<URL> {
  const outdir = join(folder, `${++count}`);
  await build({
    entryPoints: [fixturePath(`task-bundles/${entry}`)],
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20.19",
    outExtension: { ".js": ".mjs" },
    outdir,
    logLevel: "error",
    ...options,
  });
  return pathToFileURL(join(outdir, entry));
}

const values = async (...refs: (TaskRef | undefined)[]): Promise<unknown[]> =>
  (await inWorker(...refs.map((ref) => [ref as TaskRef, "x"] as const))).map(
    ({ value, error }) => error?.message ?? value,
  );

describe("tasks are found in a bundle that holds its own copy of this library", () => {
  test("of one file, a module loaded by an awaited import() among them", async () => {
    const { own, first, second, lazy } = await refsOf(await bundle());
    expect(await values(own, first, second, ...(lazy ?? []))).toEqual([
      "own x",
      "first x",
      "second x",
      "lazy 1 x",
      "lazy 2 x",
    ]);
  });

  test("with code splitting", async () => {
    const { own, first, lazy } = await refsOf(await bundle({ splitting: true }));
    expect(await values(own, first, ...(lazy ?? []))).toEqual(["own x", "first x", "lazy 1 x", "lazy 2 x"]);
  });

  test("with code splitting and minified", async () => {
    const { own, second, lazy } = await refsOf(await bundle({ splitting: true, minify: true }));
    expect(await values(own, second, ...(lazy ?? []))).toEqual(["own x", "second x", "lazy 1 x", "lazy 2 x"]);
  });

  test("minified to one line", async () => {
    const { first, second } = await refsOf(await bundle({ minify: true }, "static.mjs"));
    expect(await values(first, second)).toEqual(["first x", "second x"]);
  });
});

describe("a module that a bundle runs only at some import()", () => {
  test("cannot declare tasks, and its error says to split the code", async () => {
    await expect(refsOf(await bundle({}, "late.mjs"))).rejects.toMatchObject({
      code: "DUCK_TASK_DECLARATION",
      message: expect.stringMatching(/later\.mjs, which the bundle runs only at some import\(\).*splitting/),
    });
  });

  test("says so as well when it is minified", async () => {
    await expect(refsOf(await bundle({ minify: true }, "late.mjs"))).rejects.toMatchObject({
      code: "DUCK_TASK_DECLARATION",
      message: expect.stringMatching(/inside a function .*\(In a bundle, .*unless the bundler splits code/),
    });
  });
});
