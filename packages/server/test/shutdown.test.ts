import { once } from "node:events";
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
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

test.each(["http", "https"])("close() does not wait for %s connections that never said a word", async (scheme) => {
  // Told as it happened: browsers connect in advance, and each such connection made SIGTERM last shutdownTimeoutMs.
  const https = { key: "./tls/key.pem", cert: "./tls/cert.pem" };
  const server = await start("faults.ts", {
    server: { shutdownTimeoutMs: 10_000, ...(scheme === "https" ? { https } : {}) },
  });
  const silent =
    scheme === "https"
      ? connectTls({ port: server.port, host: "127.0.0.1", rejectUnauthorized: false })
      : connect(server.port, "127.0.0.1");
  await once(silent, scheme === "https" ? "secureConnect" : "connect");
  const ended = once(silent, "close");
  expect(await server.close()).toEqual({ forced: false });
  await ended;
});

test.each(["", "GET /quick HTTP/1.1\r\nHost: x\r\n\r\n"])(
  "close() tells a client that has sent half a head (after %j) and does not wait for the rest",
  async (before) => {
    // Told as it happened: one client that stopped there made SIGTERM last shutdownTimeoutMs, and the exit code 1.
    const server = await start("faults.ts", { server: { shutdownTimeoutMs: 10_000 } });
    const half = connect(server.port, "127.0.0.1");
    let heard = "";
    half.on("data", (data) => {
      heard += data.toString();
    });
    half.write(before);
    await until(() => heard.includes(before === "" ? "" : "true"));
    heard = "";
    half.write("GET /quick HTT");
    await fetch(`${server.at}/quick`); // what has been written before this has been read
    const ended = once(half, "close");
    expect(await server.close()).toEqual({ forced: false });
    await ended;
    expect(heard).toMatch(/^HTTP\/1.1 503 Service Unavailable\r\n[\s\S]*connection: close\r\n/);
  },
);

test("at shutdownTimeoutMs what is left is ended by force", async () => {
  const server = await start("faults.ts", { server: { shutdownTimeoutMs: 200 } });
  const held = fetch(`${server.at}/block`);
  held.catch(() => undefined);
  await until(() => gate[ENTERED] === 1);
  expect(await server.close()).toEqual({ forced: true });
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

test.each(["close", "reload"] as const)(
  "%s(): event streams end cleanly and at once, their generators' finally runs, and downloads are finished",
  async (what) => {
    const server = await start("faults.ts");
    const events = await fetch(`${server.at}/events`);
    const reader = (events.body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    const download = await fetch(`${server.at}/slow-download`);
    const late = fetch(`${server.at}/events-late`);
    await until(() => gate[ENTERED] === 1);
    const over = server[what]();
    for (let step = await reader.read(); !step.done; step = await reader.read());
    Atomics.store(gate, 1, 1);
    expect(await (await late).text()).toBe("");
    expect((await download.text()).split("\n")).toHaveLength(41);
    const report = await over;
    if (what === "close") expect(report).toEqual({ forced: false });
    expect(gate[3]).toBe(1);
  },
);

test("requests are counted by the place of their thread and by their kind", async () => {
  const server = await start("faults.ts");
  for (let i = 0; i < 5; i++) await fetch(`${server.at}/quick`);
  const { placements, takenBack } = server.stats();
  const total = placements.flatMap((kinds) => Object.values(kinds)).reduce((a, b) => a + b, 0);
  // One that was taken back from a thread that stood still was placed twice.
  expect(total).toBe(5 + takenBack);
  expect(await (await fetch(`${server.at}/metrics`)).text()).toMatch(
    /duck_placements_total\{worker="\d",kind="light"\} \d/,
  );
});
