import { type HostedWorker, type HostPoolOptions, hostPool } from "@duck-ts/managers/internal";
import { beforeEach, expect, test } from "vitest";
import { gate, start, until } from "./support/server.ts";

const [, , RUNS] = [0, 1, 2];
beforeEach(() => void gate.fill(0));

test.each([
  ["process.exit()", "/exit", "exit"],
  ["an uncaught error", "/throw-later", "error"],
  ["an unhandled rejection", "/reject-later", "error"],
])("%s in a handler: 502 at once, the thread is replaced, the server goes on", async (_what, path, reason) => {
  const server = await start("faults.ts");
  const response = await fetch(server.at + path, { method: "POST" });
  expect(response.status).toBe(502);
  expect((await fetch(`${server.at}/quick`)).status).toBe(200);
  await until(() => server.stats().workers.ready === 2);
  expect(server.stats().restarts[reason as "exit"]).toBe(1);
  const access = server.lines.find((line) => line["status"] === 502);
  expect(access).toMatchObject({ outcome: "worker-died", path, thread: expect.stringMatching(/^request-/) });
});

test("the line about a thread that an error ended has its message, and where in the app it was thrown", async () => {
  const server = await start("faults.ts");
  await fetch(`${server.at}/throw-later`, { method: "POST" });
  const line = server.lines.find((one) => String(one["msg"]).includes("ended by itself"));
  const stack = expect.stringMatching(/^Error: nobody catches this\n[^\n]*fixtures\/faults\.ts:\d+/);
  expect(line).toMatchObject({ err: { message: "Error: nobody catches this", stack } });
});

test("a thread that is terminated from outside: 502 at once, and it is replaced", async () => {
  const workers: HostedWorker[] = [];
  const watched = (options: HostPoolOptions) =>
    hostPool({
      ...options,
      onReady(worker) {
        workers.push(worker);
        options.onReady(worker);
      },
    });
  const server = await start("faults.ts", { requestHandling: { maxWorkers: 1 } }, { hostPool: watched });
  const running = fetch(`${server.at}/wait/60000`, { method: "POST" });
  await until(() => gate[0] === 1);
  workers[0]?.terminate();
  expect((await running).status).toBe(502);
  expect((await fetch(`${server.at}/quick`)).status).toBe(200);
  expect(server.stats().restarts.terminated).toBe(1);
});

test("a thread out of memory: 502, and it is replaced", async () => {
  const server = await start("faults.ts", { requestHandling: { memoryLimitMb: 32 } });
  const response = await fetch(`${server.at}/out-of-memory`, { method: "POST" });
  expect(response.status).toBe(502);
  expect((await fetch(`${server.at}/quick`)).status).toBe(200);
  expect(server.stats().restarts["out-of-memory"]).toBe(1);
});

test("a thread whose Buffers have grown past memoryLimitMb, its heap small, finishes its requests and is replaced", async () => {
  const server = await start("faults.ts", { requestHandling: { maxWorkers: 1, memoryLimitMb: 64 } });
  const old = await (await fetch(`${server.at}/thread`)).text();
  const held = fetch(`${server.at}/held-alone`);
  await until(() => gate[0] === 1);
  const download = await fetch(`${server.at}/slow-download`);
  expect((await fetch(`${server.at}/hoard/100`, { method: "POST" })).status).toBe(200);
  expect(await (await fetch(`${server.at}/heap-mb`)).json()).toBeLessThan(40);
  await until(() => server.stats().restarts.memory === 1);
  // Its replacement answers, while what the old one had begun goes on there.
  const fresh = await (await fetch(`${server.at}/thread`)).text();
  expect(fresh).not.toBe(old);
  expect(server.stats().workers.total).toBe(2);
  Atomics.store(gate, 1, 1);
  expect([(await held).status, await (await held).text()]).toEqual([200, "held"]);
  expect((await download.text()).split("\n")).toHaveLength(41);
  await until(() => server.stats().workers.total === 1);
  expect([server.stats().kills, server.stats().rerun]).toEqual([0, 0]);
  const access = server.lines.find((line) => line["path"] === "/held-alone");
  expect(access).toMatchObject({ thread: old, status: 200 });
  expect(await (await fetch(`${server.at}/hoard/1`, { method: "POST" })).json()).toBe(1);
});

test.each([
  ["Buffers", "hoard/100"],
  ["a heap", "hoard-objects/80"],
])("a thread with %s past memoryLimitMb and no requests is replaced by another one", async (_what, path) => {
  // Told as it happened: the thread had ended before its replacement was up, so it went on as its own replacement, with
  // all that it held.
  const server = await start("faults.ts", { requestHandling: { maxWorkers: 1, memoryLimitMb: 64 } });
  expect((await fetch(`${server.at}/${path}`, { method: "POST" })).status).toBe(200);
  await until(() => server.stats().restarts.memory === 1);
  expect(await (await fetch(`${server.at}/${path.replace(/\d+/, "1")}`, { method: "POST" })).json()).toBe(1);
});

test("a GET or HEAD whose thread died is run again, once", async () => {
  const server = await start("faults.ts");
  const lucky = await fetch(`${server.at}/exit-once`);
  expect(await lucky.text()).toBe("second time");
  gate.fill(0);
  const head = await fetch(`${server.at}/exit-once`, { method: "HEAD" });
  expect([head.status, head.headers.get("content-length"), gate[RUNS as number]]).toEqual([200, "11", 2]);
  gate.fill(0);
  const unlucky = await fetch(`${server.at}/exit`);
  expect(unlucky.status).toBe(502);
  expect(gate[RUNS as number]).toBe(2);
});

test("a POST whose thread died is not", async () => {
  const server = await start("faults.ts");
  expect((await fetch(`${server.at}/exit`, { method: "POST" })).status).toBe(502);
  expect(gate[RUNS as number]).toBe(1);
});

test("a stream whose thread died is cut, not ended", async () => {
  const server = await start("faults.ts");
  const response = await fetch(`${server.at}/exit-midway`);
  expect(response.status).toBe(200);
  await expect(response.text()).rejects.toThrow();
  await until(() => server.stats().workers.ready === 2);
});

test("an app that throws on import is one clear error of createServer", async () => {
  await expect(start("throws-on-import.ts")).rejects.toThrow(/request thread could not start.*not today/);
});

test("onWorkerStart that throws is one clear error of createServer", async () => {
  await expect(start("throws-on-start.ts")).rejects.toThrow(/request thread could not start.*no database/);
});
