import { once } from "node:events";
import { createServer as createNetServer } from "node:net";
import { beforeEach, expect, test } from "vitest";
import { gate, start, until } from "./support/server.ts";

const [ENTERED, OPEN] = [0, 1] as const;
beforeEach(() => void gate.fill(0));
const open = (): void => {
  Atomics.store(gate, OPEN, 1);
  Atomics.notify(gate, OPEN);
};

/** The value of a metric; undefined where there is none. */
async function metric(at: string, line: string): Promise<number | undefined> {
  const text = await (await fetch(`${at}/metrics`)).text();
  const found = text.split("\n").find((one) => one.startsWith(`${line} `));
  return found === undefined ? undefined : Number(found.slice(line.length + 1));
}
const crunch = 'kind="thread",manager="crunch",owner="request"';

test("managers that request threads own are in the metrics, and what a dead thread's counted stays counted", async () => {
  const server = await start("managed.ts", { requestHandling: { maxWorkers: 1 } });
  for (let i = 0; i < 3; i++) expect(await (await fetch(`${server.at}/work`)).json()).toBe(2);
  expect(await metric(server.at, `duck_manager_tasks_completed_total{${crunch}}`)).toBe(3);
  expect(await metric(server.at, `duck_manager_tasks_failed_total{${crunch}}`)).toBe(3);
  expect(await metric(server.at, 'duck_manager_threads{kind="loop",manager="render",owner="request"}')).toBe(1);
  expect((await fetch(`${server.at}/die`, { method: "POST" })).status).toBe(502);
  expect(await (await fetch(`${server.at}/work`)).json()).toBe(2);
  expect(await metric(server.at, `duck_manager_tasks_completed_total{${crunch}}`)).toBe(4);
});

test("queued and active tasks are in the metrics while every request thread is blocked, and nobody waits for a thread", async () => {
  const server = await start("managed.ts", { requestHandling: { maxWorkers: 1 } });
  await fetch(`${server.at}/hold`);
  const active = `duck_manager_tasks{${crunch},state="active"}`;
  while ((await metric(server.at, active)) !== 1);
  const blocked = fetch(`${server.at}/block`);
  await until(() => gate[ENTERED] === 1);
  // The gate is still shut: what answers now has asked no request thread, and no thread of the pool.
  expect(await metric(server.at, active)).toBe(1);
  expect(await metric(server.at, `duck_manager_tasks{${crunch},state="queued"}`)).toBe(2);
  open();
  expect((await blocked).status).toBe(200);
});

test("main's event loop is watched: what held it is in the stats, the metrics and a line of the log", async () => {
  const server = await start("managed.ts", { requestHandling: { maxWorkers: 1 } });
  await fetch(`${server.at}/block-main`);
  await until(() => server.stats().mainLoop.maxLagMs > 400);
  expect(await metric(server.at, 'duck_main_loop_lag_seconds{stat="max"}')).toBeGreaterThan(0.4);
  expect(await metric(server.at, "duck_main_loop_utilization")).toBeGreaterThan(0);
  await until(() => server.lines.some((line) => String(line["msg"]).startsWith("Main's event loop stood still for")));
});

test("management paths on a port of their own answer there, while threads are blocked too, and on the app's port no more", async () => {
  const free = createNetServer().listen(0, "127.0.0.1");
  await once(free, "listening");
  const { port } = free.address() as { port: number };
  await new Promise((resolve) => free.close(resolve));
  const server = await start("managed.ts", {
    requestHandling: { maxWorkers: 1 },
    management: { expose: { host: "127.0.0.1", port } },
  });
  const blocked = fetch(`${server.at}/block`);
  await until(() => gate[ENTERED] === 1);
  for (const path of ["/healthz", "/readyz", "/metrics"]) {
    const through = { headers: { "x-forwarded-for": "203.0.113.9" } };
    expect([path, (await fetch(`http://127.0.0.1:${port}${path}`, through)).status]).toEqual([path, 200]);
    expect([path, (await fetch(server.at + path)).status]).toEqual([path, 404]);
  }
  open();
  expect((await blocked).status).toBe(200);
  await server.close();
  await expect(fetch(`http://127.0.0.1:${port}/healthz`)).rejects.toThrow();
});
