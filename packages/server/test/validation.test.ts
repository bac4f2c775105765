import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { raw, start } from "./support/server.ts";

const post = (url: string, body: string, type = "application/json"): Promise<Response> =>
  fetch(url, { method: "POST", body, headers: { "content-type": type } });

test("a request that does not fit is a 400 that names every issue's path", async () => {
  const { at } = await start("basic.ts");
  const response = await post(`${at}/users/seven`, '{"name":1}');
  expect(response.status).toBe(400);
  const { details } = (await response.json()) as { details: { issues: { in: string; path: string[] }[] } };
  expect(details.issues.map((issue) => [issue.in, ...issue.path].join("."))).toEqual([
    "params.id",
    "body.name",
    "body.age",
  ]);
});

test("handlers see what the schemas made of the data", async () => {
  const { at } = await start("basic.ts");
  const response = await post(`${at}/users/7`, '{"name":"ada","age":36,"more":1}');
  expect([response.status, await response.json()]).toEqual([201, { id: 8, name: "ada" }]);
  expect(await (await fetch(`${at}/slow-query`)).json()).toEqual({ page: 1 });
  expect(await (await fetch(`${at}/slow-query?page=3&tag=a&tag=b`)).json()).toEqual({ page: 3, tag: ["a", "b"] });
});

test("schemas may be asynchronous", async () => {
  const { at } = await start("basic.ts");
  expect((await post(`${at}/async-schema`, '{"name":"free"}')).status).toBe(200);
  expect((await post(`${at}/async-schema`, '{"name":"taken"}')).status).toBe(400);
});

test("bodies are parsed by their type", async () => {
  const { at } = await start("basic.ts");
  const echo = async (body: string, type: string): Promise<unknown> =>
    ((await (await post(`${at}/echo`, body, type)).json()) as { body: unknown }).body;
  expect(await echo('{"a":[1]}', "application/json")).toEqual({ a: [1] });
  expect(await echo('{"a":1}', "application/vnd.api+json; charset=utf-8")).toEqual({ a: 1 });
  expect(await echo("a=1&b=2&b=3", "application/x-www-form-urlencoded")).toEqual({ a: "1", b: ["2", "3"] });
  expect(await echo("grüße", "text/plain")).toBe("grüße");
});

test("malformed JSON and __proto__ are a 400, a type that no schema reads a 415, an unknown charset too", async () => {
  const { at } = await start("basic.ts");
  expect((await post(`${at}/echo`, "{", "application/json")).status).toBe(400);
  expect((await post(`${at}/echo`, '{"__proto__":{"x":1}}')).status).toBe(400);
  expect((await post(`${at}/echo`, '{"\\u005f_proto__":{"x":1}}')).status).toBe(400);
  expect((await post(`${at}/users/7`, "<x/>", "application/xml")).status).toBe(415);
  expect((await post(`${at}/echo`, "x", "text/plain; charset=klingon")).status).toBe(415);
});

test("a body above the limit is a 413, whether it says its length or not", async () => {
  const { at } = await start("basic.ts", { server: { bodyLimitBytes: 1000 } });
  expect((await post(`${at}/echo`, "x".repeat(1000), "text/plain")).status).toBe(200);
  expect((await post(`${at}/echo`, "x".repeat(1001), "text/plain")).status).toBe(413);
  const chunked = await fetch(`${at}/echo`, {
    method: "POST",
    body: new Blob(["x".repeat(5000)]).stream(),
    duplex: "half",
    headers: { "content-type": "text/plain" },
  } as RequestInit);
  expect(chunked.status).toBe(413);
});

test("a body that a handler takes in whole through ctx.request has the same limit; one that it reads as a stream has none", async () => {
  const { at } = await start("basic.ts");
  const [fits, large] = ["x".repeat(1024 * 1024), "x".repeat(1024 * 1024 + 1)];
  const json = (text: string): string => JSON.stringify(text.slice(2));
  expect(await (await post(`${at}/request-json`, json(fits))).json()).toEqual({ got: fits.slice(2) });
  const refused = await post(`${at}/request-json`, json(large));
  expect([refused.status, await refused.json()]).toEqual([
    413,
    expect.objectContaining({ detail: "The body is larger than 1048576 bytes." }),
  ]);
  expect(await (await post(`${at}/upload`, large)).json()).toEqual({ bytes: large.length });
  expect(await (await post(`${at}/request-json`, json(fits))).json()).toEqual({ got: fits.slice(2) });
});

test.each([
  ["/request-json", "application/json", "{broken", 400],
  ["/request-json", "application/json", "", 400],
  ["/request-form", "application/json", "{}", 415],
  ["/request-form", "multipart/form-data; boundary=x", "no parts", 400],
  // What is the handler's own mistake stays one.
  ["/request-twice", "application/x-www-form-urlencoded", "a=1", 500],
])("a body that ctx.request cannot be read as what %s wants (%s, %j) is a %i", async (path, type, body, status) => {
  const { at } = await start("basic.ts");
  const answer = await post(at + path, body, type);
  expect([answer.status, answer.headers.get("content-type")]).toEqual([
    status,
    "application/problem+json; charset=utf-8",
  ]);
});

test("a handler that catches what ctx.request.json() throws is given the standard's error", async () => {
  const { at } = await start("basic.ts");
  expect(await (await post(`${at}/request-caught`, "{")).text()).toBe("true, ");
});

test("a list of one is a list where the schema wants one: in queries and in forms, not in JSON", async () => {
  // Told as it happened: ?tag=a&tag=b was a list, and ?tag=a a 400, as it cannot be told from a single value.
  const { at } = await start("basic.ts");
  const json = async (path: string): Promise<unknown> => (await fetch(at + path)).json();
  expect(await json("/slow-query?tag=a")).toEqual({ page: 1, tag: ["a"] });
  expect(await json("/slow-query?tag=")).toEqual({ page: 1, tag: [""] });
  expect(await json("/slow-query?tag=a&page=x")).toMatchObject({ details: { issues: [{ path: ["page"] }] } });
  expect(await json("/async-list?tag=a")).toEqual({ tag: ["a"] });
  expect(await json("/async-list?tag=no")).toMatchObject({ details: { issues: [{ path: ["tag", 0] }] } });
  const form = await post(`${at}/form-list`, "tag=a", "application/x-www-form-urlencoded");
  expect(await form.json()).toEqual({ tag: ["a"] });
  expect((await post(`${at}/form-list`, '{"tag":"a"}')).status).toBe(400);
});

test("no body is of no type: an optional one may be missing, whatever length is stated", async () => {
  // Told as it happened: fetch states a length of 0 with a POST that has no body, and that was a 415.
  const { at, port } = await start("basic.ts");
  expect(await (await fetch(`${at}/optional-body`, { method: "POST" })).json()).toEqual({ got: null });
  const bare = await raw(port, "POST /optional-body HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  expect(bare).toMatch(/\{"got":null\}$/);
  const missing = await fetch(`${at}/form-list`, { method: "POST" });
  expect([missing.status, await missing.json()]).toEqual([
    400,
    expect.objectContaining({ detail: "The request is not valid: body." }),
  ]);
});

test("a compressed body is a 415 that says so, where it was to be read; as bytes it is the handler's", async () => {
  const { at } = await start("basic.ts");
  const send = (type: string, coding: string): Promise<Response> =>
    fetch(`${at}/echo`, {
      method: "POST",
      body: coding === "identity" ? "{}" : gzipSync("{}"),
      headers: { "content-type": type, "content-encoding": coding },
    });
  const refused = await send("application/json", "gzip");
  expect([refused.status, refused.headers.get("accept-encoding")]).toEqual([415, "identity"]);
  expect(await refused.json()).toMatchObject({ detail: "The body has the coding gzip; expected none." });
  expect((await send("application/json", "identity")).status).toBe(200);
  expect((await send("application/octet-stream", "gzip")).status).toBe(200);
});

test("headers are checked, and reach the handler as their schema made them", async () => {
  const { at } = await start("surface.ts");
  const good = await fetch(`${at}/headers`, { method: "POST", headers: { "X-Count": "7", "x-more": "y" } });
  expect(await good.json()).toEqual({ "x-count": 7 });
  const bad = await fetch(`${at}/headers`, { method: "POST", headers: { "x-count": "many" } });
  expect([bad.status, await bad.json()]).toEqual([
    400,
    expect.objectContaining({ details: { issues: [expect.objectContaining({ in: "headers", path: ["x-count"] })] } }),
  ]);
});

test("a route's own bodyLimitBytes wins over the server's, whether it is larger or smaller", async () => {
  const { at } = await start("surface.ts", { server: { bodyLimitBytes: 1000 } });
  expect((await post(`${at}/small`, `{"a":1,"b":"${"x".repeat(100)}"}`)).status).toBe(413);
  expect((await post(`${at}/checked`, `{"a":1,"b":"${"x".repeat(1000)}"}`)).status).toBe(413);
  expect(await (await post(`${at}/large`, "x".repeat(2_000_000), "text/plain")).json()).toBe(2_000_000);
});
