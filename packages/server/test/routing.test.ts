import { expect, test } from "vitest";
import { raw, start } from "./support/server.ts";

test("paths find their routes: static before parameters, optional ones, patterns, the rest", async () => {
  const { at } = await start("basic.ts");
  const json = async (path: string): Promise<unknown> => (await fetch(at + path)).json();
  expect(await (await fetch(`${at}/users/me`)).text()).toBe("me");
  expect(await json("/users/7?x=1")).toEqual({ id: "7" });
  expect(await json("/users/a%20b%2Fc")).toEqual({ id: "a b/c" });
  expect(await json("/optional")).toEqual({});
  expect(await json("/optional/x")).toEqual({ a: "x" });
  expect(await json("/files/a/b.txt")).toEqual({ "*": "a/b.txt" });
  expect(await json("/digits/42")).toEqual({ id: "42" });
  expect((await fetch(`${at}/digits/x`)).status).toBe(404);
  expect((await fetch(`${at}/json/`)).status).toBe(404);
  expect((await fetch(`${at}/j%73on`)).status).toBe(200);
  expect(await (await fetch(`${at}/all`, { method: "PATCH" })).text()).toBe("PATCH");
});

test("an unknown path is a 404 problem", async () => {
  const { at } = await start("basic.ts");
  const response = await fetch(`${at}/nowhere`);
  expect(response.status).toBe(404);
  expect(response.headers.get("content-type")).toContain("application/problem+json");
  expect(await response.json()).toMatchObject({ status: 404, title: "Not Found" });
});

test("a known path with another method is a 405 that says which methods there are; OPTIONS says so too", async () => {
  const { at } = await start("basic.ts");
  const wrong = await fetch(`${at}/json`, { method: "DELETE" });
  expect([wrong.status, wrong.headers.get("allow")]).toEqual([405, "GET, HEAD, OPTIONS"]);
  const options = await fetch(`${at}/echo`, { method: "OPTIONS" });
  expect([options.status, options.headers.get("allow")]).toEqual([204, "OPTIONS, POST"]);
});

test("query, cookies, headers and address reach the handler", async () => {
  const { at } = await start("basic.ts");
  const response = await fetch(`${at}/query?a=1&a=2&b=x%20y&__proto__=z`, {
    headers: { cookie: 'one=1; two="a%20b"; one=again', "user-agent": "me" },
  });
  expect(await response.json()).toEqual({
    query: JSON.parse('{"a":["1","2"],"b":"x y","__proto__":"z"}') as unknown,
    cookies: { one: "1", two: "a b" },
    agent: "me",
    method: "GET",
    ip: "127.0.0.1",
  });
});

test("a well-formed x-request-id is taken over, another one is not", async () => {
  const { at, lines } = await start("basic.ts");
  expect(await (await fetch(`${at}/id`, { headers: { "x-request-id": "abc-123" } })).text()).toBe("abc-123");
  const made = await (await fetch(`${at}/id`, { headers: { "x-request-id": "no blanks" } })).text();
  expect(made).toMatch(/^[\w-]+$/);
  expect(lines.filter((line) => line["path"] === "/id").map((line) => line["requestId"])).toEqual(["abc-123", made]);
  expect(lines.find((line) => line["path"] === "/id")).toMatchObject({
    method: "GET",
    status: 200,
    route: "/id",
    thread: expect.stringMatching(/^request/),
  });
});

test("ctx.request is the same request as a web Request", async () => {
  const { at } = await start("basic.ts");
  expect(await (await fetch(`${at}/request?q=1`, { headers: { "user-agent": "me" } })).json()).toEqual({
    url: `${at}/request?q=1`,
    agent: "me",
  });
  const posted = await fetch(`${at}/request-json`, {
    method: "POST",
    body: '{"a":1}',
    headers: { "content-type": "application/json" },
  });
  expect(await posted.json()).toEqual({ got: { a: 1 } });
});

test("absolute-form is accepted", async () => {
  const { port } = await start("basic.ts");
  const answer = await raw(
    port,
    "GET http://example.org/text?x HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\r\n",
  );
  expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n[\s\S]*plain$/);
});

test("in absolute form the target's host counts, whatever the Host header says; management paths take it too", async () => {
  const { port } = await start("basic.ts");
  const head = "HTTP/1.1\r\nHost: another\r\nConnection: close\r\n\r\n";
  expect(await raw(port, `GET http://me@example.org:81/request?q=1 ${head}`)).toContain(
    '"url":"http://example.org:81/request?q=1"',
  );
  expect(await raw(port, "GET http://example.org/request HTTP/1.0\r\n\r\n")).toContain(
    '"url":"http://example.org/request"',
  );
  expect(await raw(port, `GET http://example.org/healthz ${head}`)).toMatch(/^HTTP\/1.1 200 OK/);
});

test("OPTIONS * is answered for the server as a whole, by a fetch-style app's too", async () => {
  for (const app of ["basic.ts", "fetch-app.ts"]) {
    const { port } = await start(app);
    const answer = await raw(port, "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    expect(answer).toMatch(/^HTTP\/1.1 204 No Content\r\n[\s\S]*allow: GET, HEAD, /);
  }
});

test("an app's route wins over a management path", async () => {
  const { at } = await start("basic.ts", { management: { health: "/text" } });
  expect(await (await fetch(`${at}/text`)).text()).toBe("plain");
});

test("put, patch, del, head, options and route() make routes of their methods", async () => {
  const { at } = await start("surface.ts");
  for (const method of ["GET", "PUT", "PATCH", "DELETE", "POST"]) {
    expect(await (await fetch(`${at}/any`, { method })).json()).toEqual({ method });
  }
  const head = await fetch(`${at}/any`, { method: "HEAD" });
  expect([head.status, head.headers.get("x-from")]).toEqual([200, "a route of its own"]);
  const options = await fetch(`${at}/any`, { method: "OPTIONS" });
  expect([options.headers.get("allow"), await options.json()]).toEqual(["ANYTHING", { mine: true }]);
});

test("the path comes first, then the method, then the limits, then the schemas", async () => {
  const { at } = await start("surface.ts");
  const status = async (method: string, path: string, body: string, type = "application/json"): Promise<number> =>
    (await fetch(at + path, { method, body, headers: { "content-type": type } })).status;
  const large = `{"b":"${"x".repeat(200)}"}`;
  expect(await status("POST", "/nowhere", large)).toBe(404);
  expect(await status("PUT", "/small", large)).toBe(405);
  expect(await status("POST", "/small", large)).toBe(413);
  expect(await status("POST", "/small", "<b/>", "application/xml")).toBe(415);
  expect(await status("POST", "/small", '{"b":1}')).toBe(400);
  expect(await status("POST", "/small", '{"a":1}')).toBe(200);
});

test("ctx.url is the path and query that the client sent", async () => {
  const { at } = await start("surface.ts");
  expect(await (await fetch(`${at}/url?a=%20b&c`)).json()).toEqual({ url: "/url?a=%20b&c" });
});
