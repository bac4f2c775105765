import { expect, test } from "vitest";
import { raw, start } from "./support/server.ts";

const cases: [string, string | string[], RegExp][] = [
  ["two Host headers", "GET /json HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", /^HTTP\/1.1 400/],
  ["two Host headers on a path without a route", "GET /nope HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", /^HTTP\/1.1 400/],
  ["no Host header", "GET /json HTTP/1.1\r\n\r\n", /^HTTP\/1.1 400/],
  [
    "Content-Length and Transfer-Encoding",
    "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    /^HTTP\/1.1 400/,
  ],
  [
    "two different lengths",
    "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    /^HTTP\/1.1 400/,
  ],
  [
    "a bad chunk size",
    "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    /^HTTP\/1.1 400/,
  ],
  ["a bare LF in the head", "GET /json HTTP/1.1\nHost: a\n\n", /^HTTP\/1.1 400/],
  ["a blank before the colon", "GET /json HTTP/1.1\r\nHost : a\r\n\r\n", /^HTTP\/1.1 400/],
  ["a folded header", "GET /json HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", /^HTTP\/1.1 400/],
  ["oversized headers", `GET /json HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(20_000)}\r\n\r\n`, /^HTTP\/1.1 431/],
  ["a method nobody knows", "BREW /json HTTP/1.1\r\nHost: a\r\n\r\n", /^HTTP\/1.1 400/],
  ["a negative length", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", /^HTTP\/1.1 400/],
  ["HTTP/1.0", "GET /text HTTP/1.0\r\n\r\n", /^HTTP\/1.1 200 OK[\s\S]*plain$/],
  ["OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", /^HTTP\/1.1 (204|404)/],
  [
    "a malformed percent sequence",
    "GET /hello/%zz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    /^HTTP\/1.1 (200|400)/,
  ],
];

test("what RFC 9112 has a server refuse is refused, and the connection ends", async () => {
  const { port } = await start("basic.ts");
  for (const [what, bytes, verdict] of cases) {
    const answer = await raw(port, bytes);
    expect(answer, what).toMatch(verdict);
    expect(answer.match(/HTTP\/1\.1 /g), what).toHaveLength(1);
  }
});

test("pipelined requests are answered in their order", async () => {
  const { port } = await start("basic.ts");
  const answer = await raw(
    port,
    "GET /async HTTP/1.1\r\nHost: a\r\n\r\nGET /text HTTP/1.1\r\nHost: a\r\n\r\nGET /json HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
  );
  expect(answer.match(/HTTP\/1\.1 200/g)).toHaveLength(3);
  expect(answer.indexOf('"async"')).toBeLessThan(answer.indexOf("plain"));
  expect(answer.indexOf("plain")).toBeLessThan(answer.indexOf('"hello"'));
});

test("Expect: 100-continue is answered before the body, and a body above the limit is refused without it", async () => {
  const { port } = await start("basic.ts");
  const head =
    "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nConnection: close\r\nExpect: 100-continue\r\n";
  const fine = await raw(port, [`${head}Content-Length: 3\r\n\r\n`, "abc"]);
  expect(fine).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 OK/);
  const large = await raw(port, `${head}Content-Length: 99999999\r\n\r\n`);
  expect(large).toMatch(/^HTTP\/1.1 413/);
});

test("a client that does not finish its request in time is cut with 408", async () => {
  const { port } = await start("basic.ts", { server: { requestTimeoutMs: 300 } });
  expect(await raw(port, "GET /json HTTP/1.1\r\nHost:", 3000)).toMatch(/^HTTP\/1.1 408/);
  expect(await raw(port, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc", 3000)).toMatch(
    /^HTTP\/1.1 408|^$/,
  );
});

test("headers have a time of their own, shorter than the request's", async () => {
  const { port } = await start("basic.ts", { server: { headersTimeoutMs: 300, requestTimeoutMs: 20_000 } });
  const late = raw(port, "GET /json HTTP/1.1\r\nHost:", 5000);
  const body = raw(port, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc", 1500);
  expect(await late).toMatch(/^HTTP\/1.1 408/);
  expect(await body).toBe("");
});

test("trusted proxies tell the client's address, others do not", async () => {
  const trusting = await start("basic.ts", { server: { trustProxy: "loopback" } });
  const headers = { "x-forwarded-for": "6.6.6.6, 10.0.0.9", "x-forwarded-proto": "https" };
  expect(await (await fetch(`${trusting.at}/query`, { headers })).json()).toMatchObject({ ip: "10.0.0.9" });
  expect(await (await fetch(`${trusting.at}/request`, { headers })).json()).toMatchObject({
    url: expect.stringMatching(/^https:/),
  });
  const plain = await start("basic.ts");
  expect(await (await fetch(`${plain.at}/query`, { headers })).json()).toMatchObject({ ip: "127.0.0.1" });
});
