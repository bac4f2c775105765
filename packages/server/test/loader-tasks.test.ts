import { expect, it } from "vitest";
import { appFolder, Command } from "./support/command.ts";

const files = {
  "src/app.ts": `
    import { currentThread, defineApp, get, getOrCreateLoopManager, getOrCreateThreadManager, task } from "@duck-ts/server";
    import { shared } from "./shared.ts";
    const own = task(function own(n: number): [number, string] { return [n * 2, currentThread().kind]; });
    const loop = () => getOrCreateLoopManager("jobs");
    export default defineApp({
      onWorkerStart() { loop().start({ daemon: true }); },
      routes: [
        get("/own", () => loop().submitTask(own(1)).result()),
        get("/shared", async () => await loop().submitTask(shared(1))),
        get("/late", async () => {
          const { late } = await import("./late.ts");
          return await loop().submitTask(late(1));
        }),
        get("/pool", () => {
          const pool = getOrCreateThreadManager("jobs");
          pool.start({ maxWorkers: 1, daemon: true });
          return pool.submitTask(own(5)).result();
        }),
        get("/fails", () => loop().submitTask(shared(-1)).result()),
        get("/plugin", () => globalThis.fromPlugin ?? null),
      ],
    });
    declare global { var fromPlugin: unknown }
  `,
  "src/shared.ts": `
    import { currentThread, task } from "@duck-ts/server";
    // A neighbour: the place among its module's tasks has to be told from its, in each file of the bundle.
    export const first = task(function first(): number { return 1; });
    export const shared = task(function shared(n: number): [number, string] {
      if (n < 0) throw new RangeError("below zero");
      return [n * 10, currentThread().kind];
    });`,
  "src/late.ts": `
    import { currentThread, task } from "@duck-ts/server";
    export const late = task(function late(n: number): [number, string] { return [n * 100, currentThread().kind]; });`,
  "plugins/start.ts": `
    import { getOrCreateLoopManager } from "@duck-ts/server";
    import { shared } from "../src/shared.ts";
    export async function onWorkerStart(): Promise<void> {
      const loop = getOrCreateLoopManager("plugin").start({ daemon: true });
      globalThis.fromPlugin = await loop.submitTask(shared(7));
    }
    declare global { var fromPlugin: unknown }`,
  "duck.config.ts": `import { defineConfig } from "@duck-ts/server";
    export default defineConfig({ plugins: [{ name: "start", worker: "./plugins/start.ts" }] });`,
};

const lineOf = (file: keyof typeof files, text: string): number =>
  files[file].split("\n").findIndex((line) => line.includes(text)) + 1;

it("tasks are found in other threads wherever the bundle has put them: in the app, in what plugins share, in what is imported late", async () => {
  const command = new Command(appFolder(files), ["serve", "--port", "0", "--workers", "1"]);
  const url = await command.url();
  const ask = async (path: string): Promise<unknown> => (await fetch(url + path)).json();
  expect(await ask("/own")).toEqual([2, "loop"]);
  expect(await ask("/shared")).toEqual([10, "loop"]);
  expect(await ask("/late")).toEqual([100, "loop"]);
  expect(await ask("/pool")).toEqual([10, "pool"]);
  expect(await ask("/plugin")).toEqual([70, "loop"]);
});

it("a task's failure shows the .ts lines of its thread and of the thread that submitted it", async () => {
  const command = new Command(appFolder(files), ["serve", "--port", "0", "--workers", "1"]);
  expect((await fetch(`${await command.url()}/fails`)).status).toBe(500);
  const { err } = (await command.said(/handler failed/)) as { err: { type: string; message: string; stack: string } };
  expect(err).toMatchObject({ type: "RangeError", message: "below zero" });
  expect(err.stack).toContain(`src/shared.ts:${lineOf("src/shared.ts", "below zero")}:`);
  expect(err.stack).toContain(`src/app.ts:${lineOf("src/app.ts", 'get("/fails"')}:`);
});
