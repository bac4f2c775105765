import { readFileSync } from "node:fs";
import { get } from "node:https";
import { createServer, definePlugin } from "@duck-ts/server";
import { expect, test } from "vitest";
import { fixtures, gate, raw, start, until } from "./support/server.ts";

test.each([
  ["an import that never ends", "loops-on-import.ts"],
  ["an onWorkerStart that never ends", "never-starts.ts"],
])("%s: createServer rejects at its deadline, and says what it waited for", async (_what, app) => {
  const options = { root: fixtures, startTimeoutMs: 500, logStream: { write: () => undefined } };
  await expect(createServer({ app: `./${app}`, requestHandling: { maxWorkers: 1 } }, options)).rejects.toThrow(
    /could not start: it was not ready after 500 ms: the app's top level, or an onWorkerStart, has not finished/,
  );
});

test("an app that serves itself is told so by its first request thread, which would else serve it again, and so on", async () => {
  const options = { root: fixtures, logStream: { write: () => undefined } };
  await expect(createServer({ app: "./serves-itself.ts" }, options)).rejects.toThrow(
    /could not start: createServer\(\) was called in "request-1", a request thread of a server/,
  );
});

test("where the server listens is not said a second time by Fastify", async () => {
  const server = await start("basic.ts");
  server.log.info("a line of its own");
  const said = server.lines.map((line) => String(line["msg"]));
  expect(said).toContain("a line of its own");
  expect(said.filter((text) => text.toLowerCase().includes("listen"))).toEqual([]);
});

test("replacements that hang while they start are ended at the deadline; three in a row are a line and a server that is not ready", async () => {
  const [HANG, HUNG] = [0, 1] as const;
  gate.fill(0);
  const server = await start("hangs-when-told.ts", { requestHandling: { maxWorkers: 1 } }, { startTimeoutMs: 2000 });
  const said = (text: string): number => server.lines.filter((line) => String(line["msg"]).includes(text)).length;
  gate[HANG] = 1;
  expect((await fetch(`${server.at}/exit`, { method: "POST" })).status).toBe(502);
  await until(() => said("three times in a row") === 1, 20_000);
  // No storm: one at a time, each with its time and a pause after it.
  expect(gate[HUNG]).toBeLessThanOrEqual(4);
  expect(said("it was not ready after 2000 ms: the app's top level, or an onWorkerStart, has not finished")).toBe(3);
  const ready = await fetch(`${server.at}/readyz`);
  expect([ready.status, await ready.json()]).toEqual([
    503,
    expect.objectContaining({ reason: "request threads cannot start" }),
  ]);
  gate[HANG] = 0;
  expect(await (await fetch(`${server.at}/quick`)).text()).toBe("quick");
  expect((await fetch(`${server.at}/readyz`)).status).toBe(200);
}, 40_000);

test("a reload whose threads hang while they start leaves the old ones in service", async () => {
  gate.fill(0);
  const server = await start("hangs-when-told.ts", { requestHandling: { maxWorkers: 1 } }, { startTimeoutMs: 2000 });
  gate[0] = 1;
  await expect(server.reload()).rejects.toThrow(/could not start: it was not ready after 2000 ms/);
  expect(await (await fetch(`${server.at}/quick`)).text()).toBe("quick");
  expect((await fetch(`${server.at}/readyz`)).status).toBe(200);
});

test("TLS: key and certificate from files or as text; plain HTTP on that port is not answered", async () => {
  const file = (name: string): string => `${fixtures}tls/${name}.pem`;
  const ca = readFileSync(file("cert"), "utf8");
  for (const https of [
    { key: "./tls/key.pem", cert: "./tls/cert.pem" },
    { key: readFileSync(file("key"), "utf8"), cert: ca },
  ]) {
    const server = await start("surface.ts", { server: { https } });
    expect(server.at).toMatch(/^https:/);
    const body = await new Promise<string>((resolve, reject) => {
      const asked = get(`${server.at}/whoami`, { ca }, async (response) =>
        resolve((await response.toArray()).join("")),
      );
      asked.on("error", reject);
    });
    expect(JSON.parse(body)).toMatchObject({ kind: "request" });
    expect(await raw(server.port, "GET /whoami HTTP/1.1\r\nHost: a\r\n\r\n")).not.toContain("request");
  }
});

test("a connection that is kept is closed when it has been idle for keepAliveTimeoutMs", async () => {
  const server = await start("surface.ts", { server: { keepAliveTimeoutMs: 100 } });
  const answer = await raw(server.port, "GET /url HTTP/1.1\r\nHost: a\r\n\r\n", 10_000);
  expect(answer).toMatch(/200 OK[\s\S]*\{"url":"\/url"\}$/);
});

test("the management paths are for clients of this machine that no proxy has sent, unless expose says otherwise", async () => {
  const proxied = { "x-forwarded-for": "6.6.6.6" };
  const usual = await start("surface.ts");
  for (const path of ["/healthz", "/readyz", "/metrics"]) {
    expect((await fetch(usual.at + path)).status).toBe(200);
    expect((await fetch(usual.at + path, { headers: proxied })).status).toBe(404);
    expect((await fetch(usual.at + path, { headers: { forwarded: "for=6.6.6.6" } })).status).toBe(404);
  }
  const open = await start("surface.ts", { management: { expose: "all", metrics: false, health: "/alive" } });
  expect((await fetch(`${open.at}/alive`, { headers: proxied })).status).toBe(200);
  expect((await fetch(`${open.at}/healthz`)).status).toBe(404);
  expect((await fetch(`${open.at}/metrics`)).status).toBe(404);
});

test("another method on a management path is a 405 that says which there are, for whoever may ask", async () => {
  const { at } = await start("surface.ts");
  for (const path of ["/healthz", "/readyz?full", "/metrics"]) {
    const wrong = await fetch(at + path, { method: "POST" });
    expect([wrong.status, wrong.headers.get("allow")]).toEqual([405, "GET, HEAD, OPTIONS"]);
    expect((await fetch(at + path, { method: "OPTIONS" })).headers.get("allow")).toBe("GET, HEAD, OPTIONS");
    const proxied = await fetch(at + path, { method: "POST", headers: { "x-forwarded-for": "6.6.6.6" } });
    expect([proxied.status, proxied.headers.get("allow")]).toEqual([404, null]);
  }
});

test("a plugin's server side is given the resolved configuration", async () => {
  let seen: unknown;
  const plugin = definePlugin({
    name: "curious",
    server(_fastify, config) {
      seen = [config.server.host, config.requestHandling.maxWorkers, config.requestHandling.timeoutMs];
    },
  });
  await start("surface.ts", { plugins: [plugin] });
  expect(seen).toEqual(["127.0.0.1", 2, 30_000]);
});
