import { once } from "node:events";
import { connect } from "node:net";
import { beforeEach, expect, onTestFinished, test } from "vitest";
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
  const server = await start("managed.ts", {
    requestHandling: { maxWorkers: 1 },
    management: { expose: { host: "127.0.0.1", port: 0 } },
  });
  const own = String(server.managementUrl);
  expect(own).toMatch(/^http:\/\/127\.0\.0\.1:[1-9]\d*$/);
  const blocked = fetch(`${server.at}/block`);
  await until(() => gate[ENTERED] === 1);
  for (const path of ["/healthz", "/readyz", "/metrics"]) {
    const through = { headers: { "x-forwarded-for": "203.0.113.9" } };
    expect([path, (await fetch(own + path, through)).status]).toEqual([path, 200]);
    expect([path, (await fetch(server.at + path)).status]).toEqual([path, 404]);
  }
  open();
  expect((await blocked).status).toBe(200);
  await server.close();
  await expect(fetch(`${own}/healthz`)).rejects.toThrow();
});

test("every request has one access line, whatever became of it, with its thread and the reason", async () => {
  const server = await start("faults.ts", { requestHandling: { maxWorkers: 1, maxQueue: 2 } });
  const lineOf = (id: string) =>
    server.lines.filter((line) => line["requestId"] === id && line["method"] !== undefined);
  const ask = (id: string, path: string, method = "GET"): Promise<number> =>
    fetch(server.at + path, { method, headers: { "x-request-id": id } }).then(
      async (response) => {
        await response.text().catch(() => undefined);
        return response.status;
      },
      () => 0,
    );
  await ask("answered", "/quick?secret=1");
  await ask("worker-died", "/exit", "POST");
  await ask("broken-off", "/fails-midway");
  const bystander = ask("bystander", "/wait/60000", "POST");
  await until(() => gate[ENTERED] === 1);
  await ask("timeout", "/loop");
  await bystander;
  const gone = connect(server.port, "127.0.0.1");
  gone.write("GET /held-alone HTTP/1.1\r\nHost: x\r\nX-Request-Id: client-gone\r\n\r\n");
  await until(() => gate[ENTERED] === 3);
  gone.destroy();
  await until(() => lineOf("client-gone").length > 0);
  const held = ask("held", "/block");
  await until(() => gate[ENTERED] === 4);
  const waiting = ask("queued", "/quick");
  const late = ask("queue-timeout", "/loop", "POST");
  await until(() => server.stats().queued === 2);
  await ask("queue-full", "/quick");
  await late;
  const kept = connect(server.port, "127.0.0.1");
  onTestFinished(() => void kept.destroy());
  await once(kept, "connect");
  const closing = server.close();
  kept.write("GET /quick HTTP/1.1\r\nHost: x\r\nX-Request-Id: draining\r\n\r\n");
  await until(() => lineOf("draining").length > 0);
  open();
  expect(await Promise.all([held, waiting])).toEqual([200, 200]);
  await closing;

  const onThread = expect.stringMatching(/^request-\d+$/);
  const expected: [string, string, number, unknown][] = [
    ["answered", "/quick", 200, onThread],
    ["worker-died", "/exit", 502, onThread],
    ["broken-off", "/fails-midway", 200, onThread],
    ["bystander", "/wait/60000", 503, onThread],
    ["timeout", "/loop", 504, onThread],
    ["client-gone", "/held-alone", 499, onThread],
    ["queue-full", "/quick", 503, expect.any(String)],
    ["queue-timeout", "/loop", 503, expect.any(String)],
    ["draining", "/quick", 503, expect.any(String)],
    ["held", "/block", 200, onThread],
    ["queued", "/quick", 200, onThread],
  ];
  for (const [id, path, status, thread] of expected) {
    const lines = lineOf(id).filter((line) => String(line["msg"]).startsWith("request"));
    expect(lines, id).toHaveLength(1);
    expect(lines[0]).toMatchObject({ path, status, thread, durationMs: expect.any(Number), ip: "127.0.0.1" });
    if (["answered", "held", "queued"].includes(id)) expect(lines[0]).not.toHaveProperty("outcome");
    else expect(lines[0]).toMatchObject({ outcome: id });
  }
});

test("at the level warn only what was no ordinary answer has its access line", async () => {
  const server = await start("faults.ts", { log: { level: "warn" } });
  await (await fetch(`${server.at}/quick`)).text();
  await (await fetch(`${server.at}/loop`)).text();
  expect(server.lines.filter((line) => line["path"] !== undefined)).toEqual([
    expect.objectContaining({ path: "/loop", status: 504, outcome: "timeout" }),
  ]);
});

test("no line names a field twice, whoever has answered", async () => {
  let text = "";
  const logStream = {
    write(line: string): void {
      text += line;
    },
  };
  const server = await start("basic.ts", {}, { logStream });
  for (const path of ["/nowhere", "/plain", "/healthz"]) await fetch(`${server.at}${path}`);
  await until(() => text.includes("/nowhere") && text.includes("/plain"));
  for (const line of text.trim().split("\n")) expect(line.match(/"requestId":/g)?.length ?? 0).toBeLessThanOrEqual(1);
});
