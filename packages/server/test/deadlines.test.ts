import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setEnvironmentData } from "node:worker_threads";
import { beforeEach, expect, test } from "vitest";
import { gate, start, until } from "./support/server.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";

const [ENTERED, OPEN, RUNS, ABORTED] = [0, 1, 2, 3];
beforeEach(() => void gate.fill(0));

test.each(["/loop", "/regex", "/native", "/block-late", "/hang", "/heeds", "/async-then-loop"])(
  "%s gets its 504 at timeoutMs, and the server goes on",
  async (path) => {
    const server = await start("faults.ts");
    const response = await fetch(server.at + path);
    expect(response.status).toBe(504);
    expect(response.headers.get("content-type")).toContain("application/problem+json");
    expect(await response.json()).toMatchObject({ status: 504, title: "Gateway Timeout" });
    const again = await fetch(`${server.at}/quick`);
    expect(await again.json()).toEqual({ quick: true });
    const line = server.lines.find((one) => one["status"] === 504);
    expect(line).toMatchObject({ outcome: "timeout", path });
    expect(line?.["thread"]).toMatch(/^request/);
  },
);

test("a thread that was terminated is replaced, also while a native call holds it", async () => {
  const folder = temporaryFolder();
  const told = join(folder, "told");
  setEnvironmentData("duck-test-told", told);
  const server = await start("faults.ts");
  await until(() => server.stats().workers.ready === 2);
  const path = "/native-until-told";
  const [first, second] = await Promise.all([fetch(server.at + path), fetch(server.at + path)]);
  expect([first.status, second.status]).toEqual([504, 504]);
  // Both calls go on: what answers now are the replacements.
  expect((await fetch(`${server.at}/quick`)).status).toBe(200);
  expect(server.stats()).toMatchObject({ kills: 2, restarts: { timeout: 2 } });
  writeFileSync(told, "");
});

test("an async handler sees its signal aborted at the deadline", async () => {
  const server = await start("faults.ts");
  expect((await fetch(`${server.at}/hang`)).status).toBe(504);
  await until(() => gate[ABORTED] === 1);
});

test("a handler that heeds the signal keeps its thread alive", async () => {
  const server = await start("faults.ts");
  expect((await fetch(`${server.at}/heeds`)).status).toBe(504);
  await until(() => server.stats().active === 0);
  expect(server.stats().kills).toBe(0);
  // What it then threw was the news of the deadline: told once, in the access line.
  expect(server.lines.filter((line) => String(line["msg"]).includes("A handler failed"))).toEqual([]);
});

test("a handler that does not heed it costs nobody else: its thread ends when the others on it have", async () => {
  const server = await start("faults.ts", { requestHandling: { maxWorkers: 1 } });
  const hang = fetch(`${server.at}/hang`);
  await until(() => gate[ENTERED] === 1);
  const other = fetch(`${server.at}/wait/1600`, { method: "POST" });
  expect((await hang).status).toBe(504);
  expect((await other).status).toBe(200);
  await until(() => server.stats().restarts.stuck === 1);
  expect(gate[RUNS]).toBe(1);
});

test('kill: "never" leaves the thread alone until its call returns, and another one takes its place', async () => {
  const server = await start("faults.ts", { requestHandling: { maxWorkers: 1 } });
  expect((await fetch(`${server.at}/native-kept`)).status).toBe(504);
  expect(server.stats()).toMatchObject({ kills: 0, workers: { sidelined: 1 } });
  expect((await fetch(`${server.at}/quick`)).status).toBe(200);
  Atomics.store(gate, OPEN as number, 1);
  Atomics.notify(gate, OPEN as number);
  await until(() => server.stats().workers.sidelined === 0);
  await until(() => server.stats().workers.total === 1);
  expect(server.stats().kills).toBe(0);
});

test("others in flight on a terminated thread: a GET is run again, a POST gets 503", async () => {
  const server = await start("faults.ts", { requestHandling: { maxWorkers: 1 } });
  await fetch(`${server.at}/quick`);
  const get = fetch(`${server.at}/wait/300`);
  const post = fetch(`${server.at}/wait/300`, { method: "POST" });
  await until(() => gate[RUNS] === 2);
  const loop = fetch(`${server.at}/loop`);
  expect((await loop).status).toBe(504);
  expect((await post).status).toBe(503);
  expect(await (await get).json()).toMatchObject({ waited: 300 });
  expect(gate[RUNS]).toBe(3);
  expect(server.stats()).toMatchObject({ rerun: 1, outcomes: { bystander: 1, timeout: 1 } });
});

test("requests that wait behind a blocked handler are taken back and answered elsewhere", async () => {
  const server = await start("faults.ts", { requestHandling: { maxWorkers: 2 } });
  await until(() => server.stats().workers.ready === 2);
  for (let i = 0; i < 20; i++) await fetch(`${server.at}/quick`);
  const blocked = fetch(`${server.at}/block`);
  await until(() => gate[ENTERED] === 1);
  const quick = await Promise.all(Array.from({ length: 50 }, () => fetch(`${server.at}/quick`)));
  expect(quick.every((response) => response.status === 200)).toBe(true);
  expect(gate[OPEN]).toBe(0); // the blocked one is still there
  Atomics.store(gate, OPEN as number, 1);
  Atomics.notify(gate, OPEN as number);
  expect(await (await blocked).text()).toBe("opened");
});

test("a line that was logged before the thread was terminated reaches the output", async () => {
  const server = await start("faults.ts", { requestHandling: { timeoutMs: 150 } });
  const response = await fetch(`${server.at}/lines`, { headers: { "x-request-id": "my-own-id" } });
  expect(response.status).toBe(504);
  expect(server.lines.find((line) => line["mark"] === 1)).toMatchObject({
    msg: "a line before the end",
    requestId: "my-own-id",
  });
});

test("what was printed with console.log before the thread was terminated reaches the output, all of it", async () => {
  const server = await start("faults.ts");
  expect((await fetch(`${server.at}/console`)).status).toBe(504);
  const printed = server.lines.filter((line) => "printed" in line).map((line) => line["printed"]);
  expect(printed).toEqual(Array.from({ length: 50 }, (_, i) => i));
});
