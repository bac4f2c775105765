/** A reload replaces the threads one by one; the versions of the app take requests side by side meanwhile. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type HostedPool, type HostPoolOptions, hostPool } from "@duck-ts/managers/internal";
import { createServer, type DuckServer } from "@duck-ts/server";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { appFolder } from "./support/command.ts";
import { gate, until } from "./support/server.ts";

const [ENTERED, OPEN, STARTED] = [0, 1, 2] as const;
const SIZE = 3;
beforeEach(() => void gate.fill(0));

/** An app that says which version of it answers, and on which thread. */
const app = (version: string, own: string, onWorkerStart = ""): string => `
  import { getEnvironmentData } from "node:worker_threads";
  import { currentThread, defineApp, get } from "@duck-ts/server";
  const gate = new Int32Array(getEnvironmentData("duck-test-gate"));
  const who = () => ({ version: "${version}", thread: currentThread().name });
  export default defineApp({
    routes: [
      get("/${own}", who),
      get("/who", who),
      get("/held", async () => {
        Atomics.add(gate, ${ENTERED}, 1);
        while (Atomics.load(gate, ${OPEN}) === 0) await new Promise((resolve) => setTimeout(resolve, 5));
        return who();
      }),
    ],
    onWorkerStart() { ${onWorkerStart} },
  });`;

interface Who {
  readonly version: string;
  readonly thread: string;
}

class Watched {
  /** Threads there are, starting and ending ones too, and the most there have been. */
  alive = 0;
  most = 0;
  /** So many have become ready since the server started. */
  readied = 0;
  /** Starts that wait to be let through. */
  readonly held: (() => void)[] = [];
  passes: number = Number.POSITIVE_INFINITY;
  server!: DuckServer;
  at = "";
  readonly folder: string = appFolder({ "app.mjs": app("one", "only-one") });

  async start(): Promise<this> {
    const watched = (options: HostPoolOptions): HostedPool => {
      const pool = hostPool({
        ...options,
        onReady: (worker) => {
          this.readied++;
          options.onReady(worker);
        },
        onExit: (worker, exit) => {
          this.alive--;
          options.onExit(worker, exit);
        },
      });
      const spawn = (): void => {
        this.alive++;
        this.most = Math.max(this.most, this.alive);
        pool.spawn();
      };
      return {
        manager: pool.manager,
        spawn: () => void (this.passes-- > 0 ? spawn() : this.held.push(spawn)),
        close: (how) => pool.close(how),
      };
    };
    this.server = await createServer(
      { app: "./app.mjs", server: { port: 0 }, requestHandling: { maxWorkers: SIZE }, log: { level: "silent" } },
      { root: this.folder, hostPool: watched },
    );
    onTestFinished(async () => void (await this.server.close()));
    this.at = await this.server.listen();
    await until(() => this.server.stats().workers.ready === SIZE);
    return this;
  }

  write(text: string): void {
    writeFileSync(join(this.folder, "app.mjs"), text);
  }
  async get(path: string): Promise<Who & { readonly status: number }> {
    const response = await fetch(this.at + path);
    return { ...((await response.json()) as Who), status: response.status };
  }

  /** Begins a reload, which stops before its second fresh thread: one old one has ended by then. */
  async halfway(text: string): Promise<{ readonly reloading: Promise<void> }> {
    this.write(text);
    this.passes = 1;
    const reloading = this.server.reload();
    reloading.catch(() => undefined);
    await until(() => this.held.length === 1, 20_000);
    return { reloading };
  }
  goOn(): void {
    this.passes = Number.POSITIVE_INFINITY;
    for (const spawn of this.held.splice(0)) spawn();
  }
}

test("a reload has one thread more than usual at most and none less to serve, and each runs one version only", async () => {
  const watched = await new Watched().start();
  const held = [1, 2].map(() => watched.get("/held"));
  await until(() => gate[ENTERED] === 2);
  const { reloading } = await watched.halfway(app("two", "only-two"));
  expect(watched.alive).toBe(SIZE);
  expect(watched.server.stats().workers.ready).toBe(SIZE);
  const answers = await Promise.all(Array.from({ length: 60 }, () => watched.get("/who")));
  for (const { status, version, thread } of answers) {
    expect(status).toBe(200);
    expect(version).toBe(thread.startsWith("request-g2-") ? "two" : "one");
  }
  // What only one of them has, that one answers.
  expect([await watched.get("/only-one"), await watched.get("/only-two")]).toEqual([
    expect.objectContaining({ status: 200, version: "one" }),
    expect.objectContaining({ status: 200, version: "two" }),
  ]);
  watched.goOn();
  // The last of the old threads has begun these, and is not given up before they have ended.
  await until(() => watched.readied === 2 * SIZE && watched.server.stats().workers.ready === SIZE, 20_000);
  expect(watched.alive).toBe(SIZE + 1);
  expect((await watched.get("/who")).version).toBe("two");
  Atomics.store(gate, OPEN, 1);
  for (const answer of await Promise.all(held)) expect(answer).toMatchObject({ status: 200, version: "one" });
  await reloading;
  expect(watched.most).toBe(SIZE + 1);
  await until(() => watched.alive === SIZE);
  expect(await watched.get("/only-two")).toMatchObject({ status: 200, version: "two" });
  expect((await fetch(`${watched.at}/only-one`)).status).toBe(404);
});

test("a fresh version whose later threads cannot start is taken back, and nobody notices", async () => {
  const watched = await new Watched().start();
  let on = true;
  const statuses = new Set<number>();
  const clients = [1, 2, 3, 4].map(async () => {
    while (on) statuses.add((await watched.get("/who")).status);
  });
  watched.write(
    app("two", "only-two", `if (Atomics.add(gate, ${STARTED}, 1) > 0) throw new Error("no more licences");`),
  );
  await expect(watched.server.reload()).rejects.toThrow(/cannot start: no more licences/);
  await until(() => watched.server.stats().workers.ready === SIZE && watched.alive === SIZE, 20_000);
  on = false;
  await Promise.all(clients);
  expect([...statuses]).toEqual([200]);
  expect(watched.most).toBe(SIZE + 1);
  expect(await watched.get("/only-one")).toMatchObject({ status: 200, version: "one" });
  expect((await fetch(`${watched.at}/only-two`)).status).toBe(404);
  expect((await fetch(`${watched.at}/readyz`)).status).toBe(200);
  // And mended code is taken.
  watched.write(app("three", "only-three"));
  await watched.server.reload();
  expect(await watched.get("/who")).toMatchObject({ status: 200, version: "three" });
});

test("a version that does not start at all costs no thread that serves", async () => {
  const watched = await new Watched().start();
  watched.write(app("two", "only-two", `throw new Error("no database");`));
  await expect(watched.server.reload()).rejects.toThrow(/could not start: no database/);
  expect([watched.server.stats().workers.ready, watched.most]).toEqual([SIZE, SIZE + 1]);
  expect(await watched.get("/who")).toMatchObject({ status: 200, version: "one" });
});

test("a shutdown in the middle of a reload finishes what either version has begun", async () => {
  const watched = await new Watched().start();
  const { reloading } = await watched.halfway(app("two", "only-two"));
  const held = Array.from({ length: 6 }, () => watched.get("/held"));
  await until(() => gate[ENTERED] === 6);
  const closing = watched.server.close();
  Atomics.store(gate, OPEN, 1);
  expect((await Promise.all(held)).map(({ status }) => status)).toEqual(Array(6).fill(200));
  expect(await closing).toEqual({ forced: false });
  await expect(reloading).rejects.toThrow(/was closed while it reloaded/);
  await until(() => watched.alive === 0);
});
