import { sse } from "@duck-ts/server";
import { expect, onTestFinished, test, vi } from "vitest";
import { raw, start } from "./support/server.ts";

const server = (): ReturnType<typeof start> => start("basic.ts");

test("each kind of return value has its status and content type", async () => {
  const { at } = await server();
  const kinds: [string, number, string | null, string][] = [
    ["/json", 200, "application/json; charset=utf-8", '{"hello":"world"}'],
    ["/text", 200, "text/plain; charset=utf-8", "plain"],
    ["/html", 200, "text/html; charset=utf-8", "<p>hi</p>"],
    ["/nothing", 204, null, ""],
    ["/undefined", 204, null, ""],
    ["/bytes", 200, "application/octet-stream", "\u0001\u0002\u0003"],
    ["/response", 202, "text/plain;charset=UTF-8", "from a response"],
    ["/generator", 200, "text/plain; charset=utf-8", "one\ntwo\n"],
    ["/async-generator", 200, "text/plain; charset=utf-8", "one\ntwo\n"],
    ["/async", 200, "application/json; charset=utf-8", '{"async":true}'],
    ["/main", 200, "application/json; charset=utf-8", '{"main":true}'],
    ["/readable", 200, "application/octet-stream", "from a readable"],
    ["/web-stream", 200, "application/octet-stream", "from a web stream"],
    ["/array", 200, "application/json; charset=utf-8", "[1,2]"],
    ["/number", 200, "application/json; charset=utf-8", "7"],
    ["/looks-like-html", 200, "text/plain; charset=utf-8", "<b>never guessed</b>"],
  ];
  for (const [path, status, type, body] of kinds) {
    const response = await fetch(at + path);
    expect([path, response.status, response.headers.get("content-type"), await response.text()]).toEqual([
      path,
      status,
      type,
      body,
    ]);
  }
});

test("reply() sets status and headers, and cookies stay apart", async () => {
  const { at } = await server();
  const response = await fetch(`${at}/reply`);
  expect(response.status).toBe(201);
  expect(response.headers.get("location")).toBe("/x");
  expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
  const redirected = await fetch(`${at}/redirect`, { redirect: "manual" });
  expect([redirected.status, redirected.headers.get("location")]).toEqual([302, "/json"]);
});

test("an HttpError is a problem with its details; another error is a 500 that says nothing", async () => {
  const { at, lines } = await server();
  const known = await fetch(`${at}/http-error`);
  expect(known.status).toBe(418);
  expect(known.headers.get("content-type")).toBe("application/problem+json; charset=utf-8");
  expect(await known.json()).toMatchObject({
    type: "about:blank",
    status: 418,
    detail: "short and stout",
    details: { spout: true },
  });
  const unknown = await fetch(`${at}/boom`);
  expect(unknown.status).toBe(500);
  expect(await unknown.text()).not.toContain("secret");
  expect(lines.some((line) => JSON.stringify(line).includes("Error: secret"))).toBe(true);
});

test("createServer() shows what a 500 is about where NODE_ENV is development", async () => {
  vi.stubEnv("NODE_ENV", "development");
  onTestFinished(() => void vi.unstubAllEnvs());
  const { at } = await server();
  expect(await (await fetch(`${at}/boom`)).json()).toMatchObject({ detail: "secret", stack: expect.any(String) });
});

test("an error that is returned is one that is thrown, and a thrown object says its message", async () => {
  const { at } = await server();
  const returned = await fetch(`${at}/returned-error`);
  expect([returned.status, await returned.json()]).toEqual([
    409,
    expect.objectContaining({ detail: "returned, not thrown" }),
  ]);
  const secret = await fetch(`${at}/returned-secret`);
  expect([secret.status, await secret.text()]).toEqual([500, expect.not.stringContaining("secret")]);
  const thrown = await fetch(`${at}/thrown-object`);
  expect([thrown.status, await thrown.json()]).toEqual([
    404,
    expect.objectContaining({ detail: "as some libraries do" }),
  ]);
});

test.each([
  "/split",
  "/bad-status",
  "/body-on-204",
  "/response-schema",
  "/circular",
  "/a-function",
  "/bad-chunk",
  "/blob",
])("%s cannot be sent: a 500 and a line in the log", async (path) => {
  const { at, lines } = await server();
  const response = await fetch(at + path);
  expect(response.status).toBe(500);
  expect(response.headers.get("set-cookie")).toBeNull();
  expect(await response.json()).toMatchObject({ status: 500 });
  expect(lines.some((line) => line["msg"] === "A handler failed")).toBe(true);
});

test("a length that is no number is passed over: main frames the answer", async () => {
  // Told as it happened: a stream's length of "x" went out as it was, and the client could not read the answer.
  const answer = await fetch(`${(await start("basic.ts")).at}/no-length`);
  expect([answer.status, answer.headers.get("content-length"), await answer.text()]).toEqual([200, null, "abc"]);
});

test("a view of any kind is sent as the bytes that it shows", async () => {
  const answer = await fetch(`${(await start("basic.ts")).at}/view`);
  expect(answer.headers.get("content-type")).toBe("application/octet-stream");
  expect([...new Uint8Array(await answer.arrayBuffer())]).toEqual([0, 255]);
});

test("what is no HTML or no headers is a 500 that the log explains", async () => {
  // Told as it happened: html(undefined) ended its thread.
  const server = await start("basic.ts");
  for (const path of ["/no-html", "/no-headers"]) {
    expect([path, (await fetch(server.at + path)).status]).toEqual([path, 500]);
  }
  expect(server.lines.flatMap((line) => (line["err"] as { message: string } | undefined)?.message ?? [])).toEqual([
    "html: expected a string, got undefined.",
    "The headers of a reply() are a string.",
  ]);
  expect(server.stats().restarts.error).toBe(0);
  const safe = await fetch(`${server.at}/safe-html`);
  expect([safe.headers.get("content-type"), await safe.text()]).toEqual(["text/html; charset=utf-8", "<b>"]);
});

test("an event that is a string is its data; what is neither that nor an object breaks the stream off", async () => {
  const pieces: string[] = [];
  const { body } = sse(["a\nb", { data: 1, event: "n" }, 5 as never]);
  const read = async (): Promise<void> => {
    for await (const piece of body) pieces.push(piece);
  };
  await expect(read()).rejects.toThrow("An event is an object with data, or a string; got number.");
  expect(pieces).toEqual([":\n\n", "data: a\ndata: b\n\n", "event: n\ndata: 1\n\n"]);
});

test("logging never fails a handler, whatever it is given", async () => {
  const { at, lines } = await start("basic.ts");
  expect(await (await fetch(`${at}/logs-anything`)).text()).toBe("logged");
  expect(lines.filter((line) => line["thread"] !== "main" && line["path"] === undefined)).toMatchObject([
    { msg: "a getter", unreadable: "no x" },
    { msg: "a proxy", unreadable: "no keys" },
    { msg: "5" },
    { msg: "none" },
  ]);
});

test("whatever has a then is awaited, and may give nothing back; the thread does not end of it", async () => {
  // Told as it happened: a then() that returned nothing ended its thread, and with it everybody's requests there.
  const server = await start("basic.ts");
  expect(await (await fetch(`${server.at}/thenable`)).json()).toEqual({ rows: 1 });
  expect((await fetch(`${server.at}/thenable-fails`)).status).toBe(409);
  expect(server.stats().restarts.error).toBe(0);
});

test("a Response that is thrown is the answer", async () => {
  const { at, lines } = await start("basic.ts");
  const forbidden = await fetch(`${at}/throws-response/403`);
  expect([forbidden.status, await forbidden.text()]).toEqual([403, "not you"]);
  const elsewhere = await fetch(`${at}/throws-response/302`, { redirect: "manual" });
  expect([elsewhere.status, elsewhere.headers.get("location")]).toEqual([302, "/json"]);
  expect(lines.filter((line) => Number(line["level"]) > 40)).toEqual([]);
});

test("a 304 has its headers and no body", async () => {
  const { port } = await start("surface.ts");
  const answer = await raw(port, "GET /not-modified HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  expect(answer).toMatch(/^HTTP\/1\.1 304 Not Modified\r\netag: "one"\r\n[\s\S]*\r\n\r\n$/);
});

test("HEAD has the head of GET and no body", async () => {
  const { at } = await server();
  const response = await fetch(`${at}/json`, { method: "HEAD" });
  expect([response.status, response.headers.get("content-length"), await response.text()]).toEqual([200, "17", ""]);
  const streamed = await fetch(`${at}/generator`, { method: "HEAD" });
  expect([streamed.status, await streamed.text()]).toEqual([200, ""]);
  // GET says text/plain, because the first piece is text; HEAD, which asks for no piece, says nothing in its place.
  expect(streamed.headers.get("content-type")).toBeNull();
});

test("inject() goes through the same server", async () => {
  const made = await server();
  const response = await made.inject("/hello/ada");
  expect([response.statusCode, response.json()]).toEqual([200, { hello: "ada" }]);
  const posted = await made.inject({ method: "POST", url: "/users/7", payload: { name: "x", age: 3 } });
  expect([posted.statusCode, posted.json()]).toEqual([201, { id: 8, name: "x" }]);
  expect((await made.inject("/nope")).statusCode).toBe(404);
});

test("onError sees what a handler throws, and what it returns is the answer", async () => {
  const { at } = await start("hooks.ts");
  const response = await fetch(`${at}/throws`);
  expect([response.status, await response.json()]).toEqual([422, { seen: "as it was" }]);
  const second = await fetch(`${at}/throws-twice`);
  expect(second.status).toBe(500);
});

test("large bodies are moved between threads: a handler's own bytes stay its own, and text arrives as it was", async () => {
  const { at } = await start("basic.ts", { requestHandling: { maxWorkers: 1 } });
  for (let i = 0; i < 3; i++) {
    const bytes = Buffer.from(await (await fetch(`${at}/kept-bytes`)).arrayBuffer());
    expect([bytes.byteLength, bytes.every((byte) => byte === 107)]).toEqual([300_000, true]);
  }
  const json = await fetch(`${at}/large-json`);
  expect(json.headers.get("content-length")).toBe(String(400_000 + '{"text":""}'.length));
  expect(await json.json()).toEqual({ text: "ä".repeat(200_000) });
  const body = Buffer.alloc(1_000_000, "b");
  const seen = await fetch(`${at}/shared`, { method: "POST", body, headers: { "content-type": "application/x-own" } });
  expect(await seen.json()).toEqual({ bytes: 1_000_000, last: 98, shared: false });
});
