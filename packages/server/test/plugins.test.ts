import { definePlugin } from "@duck-ts/server";
import compress from "@fastify/compress";
import cors from "@fastify/cors";
import { expect, test } from "vitest";
import { raw, start } from "./support/server.ts";

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

test("what a hook says in the headers reaches the handler, and what the client said under that name does not", async () => {
  // Told as it happened: a hook found out who asked, said so in x-user, and the handler was given the client's own x-user.
  const plugin = definePlugin({
    name: "who",
    server(fastify) {
      fastify.addHook("onRequest", async (request) => {
        if (request.url === "/as-sent") return;
        request.headers["x-user"] = "ada\r\nx-split: 1";
        request.headers["x-groups"] = ["a", "b"];
        delete request.headers["x-secret"];
      });
    },
  });
  const { port } = await start("basic.ts", { plugins: [plugin] });
  const lines =
    "X-User: root\r\nX-USER: me\r\nX-Secret: 1\r\nCookie: a=1\r\nCookie: b=2\r\nUser-Agent: u\r\nx-same: 1\r\nx-same: 2";
  const ask = async (path: string): Promise<Record<string, string>> => {
    const answer = await raw(port, `GET ${path} HTTP/1.1\r\nHost: a\r\n${lines}\r\nConnection: close\r\n\r\n`);
    return JSON.parse(answer.slice(answer.indexOf("\r\n\r\n"))) as Record<string, string>;
  };
  const rest = { host: "a", cookie: "a=1; b=2", "user-agent": "u", "x-same": "1, 2", connection: "close" };
  expect(await ask("/headers")).toEqual({ ...rest, "x-user": "ada x-split: 1", "x-groups": "a, b" });
  expect(await ask("/as-sent")).toEqual({ ...rest, "x-user": "root, me", "x-secret": "1" });
});

test("what is not the plugin's is no part of the API that it describes, and a probe is not what a rate limit is for", async () => {
  const seen: unknown[] = [];
  const plugin = definePlugin({
    name: "looks-at-routes",
    server(fastify) {
      fastify.addHook("onRoute", ({ url, schema, config }) => {
        seen.push([url, (schema as { hide?: boolean } | undefined)?.hide, (config as { rateLimit?: false }).rateLimit]);
      });
    },
  });
  await start("basic.ts", { plugins: [plugin] });
  expect(seen).toEqual([
    ["/healthz", true, false],
    ["/readyz", true, false],
    ["/metrics", true, false],
    ["/*", true, undefined],
  ]);
});
