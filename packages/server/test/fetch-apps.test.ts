import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { definePlugin } from "@duck-ts/server";
import { expect, onTestFinished, test } from "vitest";
import { fixtures, gate, raw, start, until } from "./support/server.ts";

test.each(["hono-app.ts", "h3-app.ts"])("%s runs on the pool unchanged", async (app) => {
  const { at } = await start(app);
  expect(await (await fetch(at)).text()).toBe("hello");
  expect(await (await fetch(`${at}/users/7?q=x`)).json()).toEqual({ id: "7", q: "x" });
  const echo = await fetch(`${at}/echo`, {
    method: "POST",
    body: '{"a":[1]}',
    headers: { "content-type": "application/json" },
  });
  expect(await echo.json()).toEqual({ a: [1] });
  expect((await fetch(`${at}/nowhere`)).status).toBe(404);
  const head = await fetch(`${at}/users/7`, { method: "HEAD" });
  expect([head.status, await head.text()]).toEqual([200, ""]);
});

test("Hono's streams, uploads and cookies come through", async () => {
  const { at } = await start("hono-app.ts");
  expect(await (await fetch(`${at}/stream`)).text()).toBe("onetwo");
  const upload = await fetch(`${at}/upload`, { method: "POST", body: new Uint8Array(3_000_000) });
  expect(await upload.json()).toEqual({ bytes: 3_000_000 });
  const cookies = await fetch(`${at}/cookies`);
  expect([cookies.status, cookies.headers.getSetCookie()]).toEqual([204, ["a=1", "b=2"]]);
});

test("h3's errors keep their status", async () => {
  const { at } = await start("h3-app.ts");
  expect((await fetch(`${at}/error`)).status).toBe(418);
});

test("a blocking fetch app does not keep others waiting", async () => {
  gate.fill(0);
  const { at } = await start("hono-app.ts");
  await fetch(at);
  let over = false;
  const blocked = fetch(`${at}/block`).finally(() => {
    over = true;
  });
  for (let i = 0; i < 5; i++) expect((await fetch(at)).status).toBe(200);
  expect(over).toBe(false);
  Atomics.store(gate, 1, 1);
  Atomics.notify(gate, 1);
  expect(await (await blocked).text()).toBe("blocked");
});

test("a plain { fetch } is an app: every method and path, large bodies, errors", async () => {
  const { at } = await start("fetch-app.ts");
  expect(await (await fetch(`${at}/any/where`, { method: "PUT" })).json()).toEqual({
    method: "PUT",
    pathname: "/any/where",
  });
  expect((await (await fetch(`${at}/big`)).arrayBuffer()).byteLength).toBe(3_000_000);
  expect((await fetch(`${at}/throws`)).status).toBe(500);
});

test("a fetch app sees the client's address, and answers for what it throws where it has an error()", async () => {
  const { at } = await start("fetch-app-with-error.ts");
  expect(await (await fetch(`${at}/ip`)).text()).toBe("127.0.0.1");
  const failed = await fetch(`${at}/throws`);
  expect([failed.status, await failed.text()]).toEqual([503, "caught: in fetch"]);
});

test("TRACE, which no web Request can be, is a 405 and no failure of the app", async () => {
  const { port, lines } = await start("fetch-app.ts");
  expect(await raw(port, "TRACE /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).toMatch(/^HTTP\/1\.1 405/);
  expect(lines.some(({ level }) => Number(level) >= 50)).toBe(false);
});

test("a fetch app that never ends is told of by the path that was asked for", async () => {
  const { at, lines } = await start("fetch-app.ts", { requestHandling: { timeoutMs: 200 } });
  const late = await fetch(`${at}/forever?x=1`);
  expect([late.status, await late.json()]).toEqual([
    504,
    expect.objectContaining({ detail: "GET /forever took longer than 200 ms." }),
  ]);
  await until(() => lines.some(({ msg }) => String(msg).includes("GET /forever held it past its deadline")));
});

test("management paths and plugins' routes come before an app that takes every path", async () => {
  const plugin = definePlugin({
    name: "one-route",
    server(fastify) {
      fastify.get("/plugin", () => "from the plugin");
    },
  });
  const { at } = await start("hono-app.ts", { plugins: [plugin] });
  expect((await fetch(`${at}/healthz`)).status).toBe(200);
  expect(await (await fetch(`${at}/plugin`)).text()).toBe("from the plugin");
  expect(await (await fetch(at)).text()).toBe("hello");
});

test("static files at the root come first, and what is no file goes to the app", async () => {
  const { default: files } = await import("@fastify/static");
  const plugin = definePlugin({
    name: "files",
    server: async (fastify) => void (await fastify.register(files, { root: fixtures })),
  });
  const { at } = await start("hono-app.ts", { plugins: [plugin] });
  expect(await (await fetch(`${at}/hono-app.ts`)).text()).toContain("new Hono()");
  expect(await (await fetch(`${at}/users/7`)).json()).toEqual({ id: "7", q: null });
});

/** A server that answers every request with these bytes, coded so. */
async function upstream(coding: string, bytes: Uint8Array): Promise<string> {
  const server: Server = createServer((_request, response) => {
    response.writeHead(200, { "content-encoding": coding, "content-length": bytes.byteLength, "x-kept": "yes" });
    response.end(bytes);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

test("what fetch() gave is passed on as it is: decoded, so without the coding it came in", async () => {
  const { at } = await start("passes-on.ts");
  const text = "duck ".repeat(1000);
  const coded = { gzip: gzipSync(text), "gzip, br": brotliCompressSync(gzipSync(text)) };
  for (const [coding, bytes] of Object.entries(coded)) {
    const from = await upstream(coding, bytes);
    const passed = await fetch(`${at}/fetched?from=${from}`);
    expect([passed.headers.get("content-encoding"), passed.headers.get("x-kept")]).toEqual([null, "yes"]);
    expect(await passed.text()).toBe(text);
    // Nothing was decoded here, so all of it holds.
    const head = await fetch(`${at}/fetched?from=${from}&method=HEAD`, { method: "HEAD" });
    expect(head.headers.get("content-encoding")).toBe(coding);
  }
  // A coding that fetch() does not know it leaves as it is.
  const { port } = await start("passes-on.ts");
  const from = await upstream("duck", Buffer.from("quack"));
  const answer = await raw(port, `GET /fetched?from=${from} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
  expect(answer).toMatch(/\r\ncontent-encoding: duck\r\n[\s\S]*\r\n\r\nquack$/);
});

test("headers of another library's class are sent, of its Response and of a reply()", async () => {
  const { at } = await start("passes-on.ts");
  for (const path of ["/foreign", "/foreign-headers"]) {
    const { headers } = await fetch(at + path);
    expect([headers.get("content-type"), headers.getSetCookie()]).toEqual([
      "application/graphql-response+json",
      ["a=1", "b=2"],
    ]);
  }
  expect((await fetch(`${at}/map`)).headers.get("x-in")).toBe("a map");
});
