import { connect } from "node:net";
import { beforeEach, expect, test } from "vitest";
import { gate, raw, start, until } from "./support/server.ts";

const ENTERED = 0;
beforeEach(() => void gate.fill(0));

test("close() finishes what is running, refuses what comes on kept connections, and lets threads stop in order", async () => {
  const server = await start("faults.ts");
  const kept = connect(server.port, "127.0.0.1");
  let heard = "";
  kept.on("data", (data) => {
    heard += data.toString();
  });
  kept.write("GET /quick HTTP/1.1\r\nHost: x\r\n\r\n");
  await until(() => heard.includes("true"));
  const running = fetch(`${server.at}/wait/200`);
  await until(() => gate[ENTERED] === 1);
  const closing = server.close();
  heard = "";
  kept.write("GET /quick HTTP/1.1\r\nHost: x\r\n\r\n");
  await until(() => heard.includes("503"));
  expect(heard.toLowerCase()).toContain("connection: close");
  const answered = await running;
  expect([answered.status, answered.headers.get("connection")]).toEqual([200, "close"]);
  expect(await closing).toEqual({ forced: false });
  await expect(fetch(`${server.at}/quick`)).rejects.toThrow();
});

test("at shutdownTimeoutMs what is left is ended by force", async () => {
  const server = await start("faults.ts", { server: { shutdownTimeoutMs: 200 } });
  const held = fetch(`${server.at}/block`);
  held.catch(() => undefined);
  await until(() => gate[ENTERED] === 1);
  const begun = performance.now();
  expect(await server.close()).toEqual({ forced: true });
  expect(performance.now() - begun).toBeLessThan(1500);
  expect((await held).status).toBe(503);
});

test("a closed server says so when it is asked to listen again", async () => {
  const server = await start("faults.ts");
  await expect(server.listen()).rejects.toThrow(/listens already/);
  await server.close();
  await expect(server.listen()).rejects.toThrow(/closed/);
});

test("reload() replaces all threads under load and drops nothing", async () => {
  const server = await start("faults.ts");
  let on = true;
  let answered = 0;
  const failures: unknown[] = [];
  const clients = Array.from({ length: 8 }, async () => {
    while (on) {
      const response = await fetch(`${server.at}/wait/5`).catch((error: unknown) => ({ status: String(error) }));
      if (response.status === 200) answered++;
      else failures.push(response.status);
    }
  });
  const before = await (await fetch(`${server.at}/thread`)).text();
  for (let i = 0; i < 3; i++) await server.reload();
  on = false;
  await Promise.all(clients);
  expect(failures).toEqual([]);
  expect(answered).toBeGreaterThan(10);
  expect(server.stats().generation).toBe(4);
  expect(await (await fetch(`${server.at}/thread`)).text()).not.toBe(before);
});

test("while 64 connections are busy, a shutdown loses no request that was accepted", async () => {
  const server = await start("faults.ts");
  const answers = Array.from({ length: 64 }, () => raw(server.port, "GET /wait/700 HTTP/1.1\r\nHost: x\r\n\r\n", 4000));
  await until(() => server.stats().active === 64);
  expect(await server.close()).toEqual({ forced: false });
  for (const answer of await Promise.all(answers)) expect(answer).toMatch(/^HTTP\/1.1 200/);
});
