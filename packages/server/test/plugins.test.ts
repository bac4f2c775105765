import { definePlugin } from "@duck-ts/server";
import compress from "@fastify/compress";
import cors from "@fastify/cors";
import { expect, test } from "vitest";
import { start } from "./support/server.ts";

const both = definePlugin({
  name: "cors-and-compress",
  async server(fastify) {
    await fastify.register(cors);
    await fastify.register(compress, { threshold: 10 });
  },
});

test("Fastify plugins see the app's requests and answers", async () => {
  const { at } = await start("basic.ts", { plugins: [both] });
  const json = await fetch(`${at}/json`, { headers: { origin: "http://elsewhere" } });
  expect([json.status, json.headers.get("access-control-allow-origin"), json.headers.get("content-encoding")]).toEqual([
    200,
    "*",
    expect.any(String),
  ]);
  expect(await json.json()).toEqual({ hello: "world" });
  const preflight = await fetch(`${at}/json`, {
    method: "OPTIONS",
    headers: { origin: "http://elsewhere", "access-control-request-method": "POST" },
  });
  expect([preflight.status, preflight.headers.get("access-control-allow-methods")]).toEqual([204, expect.any(String)]);
});

test("bodies, streams, cookies and errors are the same with plugins as without", async () => {
  const { at } = await start("basic.ts", { plugins: [both] });
  const posted = await fetch(`${at}/users/7`, {
    method: "POST",
    body: '{"name":"x","age":1}',
    headers: { "content-type": "application/json" },
  });
  expect([posted.status, await posted.json()]).toEqual([201, { id: 8, name: "x" }]);
  expect(
    (await fetch(`${at}/echo`, { method: "POST", body: "{", headers: { "content-type": "application/json" } })).status,
  ).toBe(400);
  expect(await (await fetch(`${at}/generator`)).text()).toBe("one\ntwo\n");
  expect((await (await fetch(`${at}/big/3`)).arrayBuffer()).byteLength).toBe(3 * 1024 * 1024);
  expect(await (await fetch(`${at}/upload`, { method: "POST", body: new Uint8Array(2_000_000) })).json()).toEqual({
    bytes: 2_000_000,
  });
  expect((await fetch(`${at}/reply`)).headers.getSetCookie()).toEqual(["a=1", "b=2"]);
  expect((await fetch(`${at}/boom`)).status).toBe(500);
  expect((await fetch(`${at}/loop`)).status).toBe(504);
  const head = await fetch(`${at}/json`, { method: "HEAD" });
  expect([head.status, await head.text()]).toEqual([200, ""]);
  expect((await fetch(`${at}/nothing`)).status).toBe(204);
});

test("a plugin's own routes answer on main, and its errors are problems", async () => {
  const plugin = definePlugin({
    name: "routes",
    server(fastify) {
      fastify.get("/plugin", () => ({ plugin: true }));
      fastify.get("/plugin-fails", () => {
        throw new Error("hidden");
      });
    },
  });
  const { at } = await start("basic.ts", { plugins: [plugin] });
  expect(await (await fetch(`${at}/plugin`)).json()).toEqual({ plugin: true });
  const failed = await fetch(`${at}/plugin-fails`);
  expect([failed.status, failed.headers.get("content-type")]).toEqual([500, "application/problem+json; charset=utf-8"]);
  expect(await failed.text()).not.toContain("hidden");
});

test("a hook that answers itself keeps the request from the app", async () => {
  const plugin = definePlugin({
    name: "gatekeeper",
    server(fastify) {
      fastify.addHook("onRequest", async (request, reply) => {
        if (request.url === "/json") await reply.code(401).send({ no: true });
      });
    },
  });
  const { at } = await start("basic.ts", { plugins: [plugin] });
  expect((await fetch(`${at}/json`)).status).toBe(401);
  expect((await fetch(`${at}/text`)).status).toBe(200);
});

test("a plugin's worker side starts in each request thread", async () => {
  const plugin = definePlugin({ name: "worker-side", worker: "./plugin-worker.ts" });
  const { at } = await start("plugin-app.ts", { plugins: [plugin] });
  expect(await (await fetch(`${at}/started`)).json()).toEqual({ started: 1 });
});

test("a plugin's own routes have Fastify's JSON schemas: headers whatever their case, bodies, answers", async () => {
  const schemas = definePlugin({
    name: "schemas",
    async server(fastify) {
      const headers = { type: "object", required: ["X-Count"], properties: { "X-Count": { type: "integer" } } };
      const response = { 200: { type: "object", properties: { count: { type: "integer" } } } };
      fastify.get("/own", { schema: { headers, response } }, (request) => ({
        count: request.headers["x-count"],
        secret: "not in the schema",
      }));
    },
  });
  const { at } = await start("basic.ts", { plugins: [schemas] });
  const good = await fetch(`${at}/own`, { headers: { "x-count": "7" } });
  expect([good.status, await good.json()]).toEqual([200, { count: 7 }]);
  expect((await fetch(`${at}/own`, { headers: { "x-count": "many" } })).status).toBe(400);
  expect((await fetch(`${at}/own`)).status).toBe(400);
});

test("what a plugin answers has a line and a figure: its own routes, and a hook in front of an app's, once each", async () => {
  // Told as it happened: a 401 or 429 of a hook was in no log, since the app's requests have their lines from the engine.
  const plugin = definePlugin({
    name: "guard",
    server(fastify) {
      fastify.get("/plugin/:id", () => "its own");
      fastify.addHook("onRequest", async (request, reply) => {
        if (request.headers.authorization === undefined) await reply.code(401).send("who?");
      });
    },
  });
  const server = await start("basic.ts", { plugins: [plugin] });
  const known = { headers: { authorization: "me" } };
  await fetch(`${server.at}/json?secret`);
  await fetch(`${server.at}/json`, known);
  await fetch(`${server.at}/plugin/7`, known);
  await fetch(`${server.at}/nowhere`, known);
  await fetch(`${server.at}/healthz`, known);
  const seen = server.lines.filter((line) => line["msg"] === "request");
  expect(seen.map(({ path, route, status }) => [path, route, status])).toEqual([
    ["/json", "/json", 401],
    ["/json", "/json", 200],
    ["/plugin/7", "/plugin/:id", 200],
    ["/nowhere", null, 404],
  ]);
  const metrics = await (await fetch(`${server.at}/metrics`, known)).text();
  const counted = metrics.split("\n").filter((line) => line.startsWith("duck_http_requests_total{"));
  expect(counted.sort()).toEqual([
    'duck_http_requests_total{method="GET",route="(none)",status="404"} 1',
    'duck_http_requests_total{method="GET",route="/json",status="200"} 1',
    'duck_http_requests_total{method="GET",route="/json",status="401"} 1',
    'duck_http_requests_total{method="GET",route="/plugin/:id",status="200"} 1',
  ]);
});
