import { statSync, truncateSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setEnvironmentData } from "node:worker_threads";
import { file } from "@duck-ts/server";
import { expect, test } from "vitest";
import { ask, certificate, session } from "./support/http2.ts";
import { raw, start, type TestServer, until } from "./support/server.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";

const TEN = "0123456789";

async function serving(config: Parameters<typeof start>[1] = {}): Promise<TestServer & { folder: string }> {
  const folder = temporaryFolder({
    "ten.txt": TEN,
    "page.html": "<p>",
    "sub/in.json": "{}",
    "100% a&b#.txt": "odd",
    "empty.txt": "",
    ".hidden": "hidden",
    "../outside.txt": "outside",
  });
  setEnvironmentData("duck-test-files", folder);
  return Object.assign(await start("files.ts", config), { folder });
}
const get = async (url: string, headers: Record<string, string> = {}, method = "GET") => {
  const response = await fetch(url, { headers: { "cache-control": "max-age=0", ...headers }, method });
  return { status: response.status, headers: response.headers, body: await response.text() };
};

test("a file has its type, length, date and tag, and says that it has ranges", async () => {
  const { at } = await serving();
  const { status, headers, body } = await get(`${at}/files/ten.txt`);
  expect([status, body]).toEqual([200, TEN]);
  expect(headers.get("content-type")).toBe("text/plain; charset=utf-8");
  expect(headers.get("content-length")).toBe("10");
  expect(headers.get("accept-ranges")).toBe("bytes");
  expect(headers.get("etag")).toMatch(/^W\/"/);
  expect(Date.parse(headers.get("last-modified") ?? "")).not.toBeNaN();
  expect((await get(`${at}/files/page.html`)).headers.get("content-type")).toBe("text/html; charset=utf-8");
  expect((await get(`${at}/files/sub/in.json`)).body).toBe("{}");
  expect((await get(`${at}/files/100%25%20a%26b%23.txt`)).body).toBe("odd");
  const empty = await get(`${at}/files/empty.txt`);
  expect([empty.status, empty.body, empty.headers.get("content-length")]).toEqual([200, "", "0"]);
  expect((await get(`${at}/url`)).body).toBe(TEN);
});

// RFC 9110 14: what is asked for, and what comes of it. Several ranges may be answered by the whole, malformed ones refused.
test.each([
  ["bytes=0-3", 206, "0123", "bytes 0-3/10"],
  ["bytes=4-", 206, "456789", "bytes 4-9/10"],
  ["bytes=-3", 206, "789", "bytes 7-9/10"],
  ["bytes=-20", 206, TEN, "bytes 0-9/10"],
  ["bytes=9-9", 206, "9", "bytes 9-9/10"],
  ["bytes=8-99", 206, "89", "bytes 8-9/10"],
  ["bytes=10-", 416, null, "bytes */10"],
  ["bytes=50-60", 416, null, "bytes */10"],
  ["bytes=-0", 416, null, "bytes */10"],
  ["bytes=0-1,4-5", 200, TEN, null],
  ["bytes=5-2", 416, null, "bytes */10"],
  ["bytes=x-y", 416, null, "bytes */10"],
  ["lines=0-1", 200, TEN, null],
])("Range: %s is %i", async (range, status, body, contentRange) => {
  const { at } = await serving();
  for (const from of ["files", "main"]) {
    const got = await get(`${at}/${from}/ten.txt`, { range });
    expect([from, got.status, got.headers.get("content-range")]).toEqual([from, status, contentRange]);
    if (body === null) expect(got.headers.get("content-type")).toContain("problem+json");
    else expect([got.body, got.headers.get("content-length")]).toEqual([body, String(body.length)]);
  }
});

test("If-Range gives the part while the file is the same, and the whole once it is another", async () => {
  const { at } = await serving();
  const { headers } = await get(`${at}/files/ten.txt`);
  const range = "bytes=0-1";
  for (const same of [headers.get("etag"), headers.get("last-modified")]) {
    expect((await get(`${at}/files/ten.txt`, { range, "if-range": String(same) })).body).toBe("01");
  }
  for (const other of ['W/"other"', "Thu, 01 Jan 1970 00:00:00 GMT", "nonsense"]) {
    const { status, body } = await get(`${at}/files/ten.txt`, { range, "if-range": other });
    expect([status, body]).toEqual([200, TEN]);
  }
});

test("conditions: 304 while nothing changed, 412 where the client meant another version", async () => {
  const { at } = await serving();
  const { headers } = await get(`${at}/files/ten.txt`);
  const [etag, date] = [String(headers.get("etag")), String(headers.get("last-modified"))];
  const unchanged = await get(`${at}/files/ten.txt`, { "if-none-match": etag });
  expect([unchanged.status, unchanged.body, unchanged.headers.get("etag")]).toEqual([304, "", etag]);
  expect(unchanged.headers.get("content-length")).toBeNull();
  expect((await get(`${at}/files/ten.txt`, { "if-modified-since": date })).status).toBe(304);
  expect((await get(`${at}/files/ten.txt`, { "if-none-match": '"x"', "if-modified-since": date })).status).toBe(200);
  expect((await get(`${at}/files/ten.txt`, { "if-match": '"x"' })).status).toBe(412);
  const old = "Thu, 01 Jan 1970 00:00:00 GMT";
  expect((await get(`${at}/files/ten.txt`, { "if-unmodified-since": old })).status).toBe(412);
});

test("HEAD has the head of GET, of a part too, and no body", async () => {
  const { port } = await serving();
  const head = "Host: a\r\nConnection: close\r\n";
  const whole = await raw(port, `HEAD /files/ten.txt HTTP/1.1\r\n${head}\r\n`);
  expect(whole).toMatch(/^HTTP\/1.1 200 [\s\S]*content-length: 10\r\n[\s\S]*\r\n\r\n$/);
  const part = await raw(port, `HEAD /files/ten.txt HTTP/1.1\r\n${head}Range: bytes=0-3\r\n\r\n`);
  expect(part).toMatch(/^HTTP\/1.1 206 [\s\S]*content-length: 4\r\n[\s\S]*\r\n\r\n$/);
});

test("what is not there, is a folder, leads out of the root or is hidden is the same 404", async () => {
  const { at, port } = await serving();
  const bodies = new Set<string>();
  for (const path of ["none.txt", "sub", "sub/", ".hidden", "ten.txt/x", "a%00b", "..%5coutside.txt"]) {
    const { status, body } = await get(`${at}/files/${path}`, { "x-request-id": "one" });
    expect([path, status]).toEqual([path, 404]);
    bodies.add(body);
  }
  expect(bodies.size).toBe(1);
  expect(await raw(port, "GET /files/../outside.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).toMatch(
    /^HTTP\/1.1 404/,
  );
  const climbing = await raw(
    port,
    "GET /files/%2e%2e/outside.txt HTTP/1.1\r\nHost: a\r\nX-Request-Id: one\r\nConnection: close\r\n\r\n",
  );
  expect(climbing.split("\r\n\r\n")[1]).toBe([...bodies][0]);
  expect((await get(`${at}/dots/.hidden`)).body).toBe("hidden");
  expect((await get(`${at}/absolute`)).body).toBe("hidden");
});

test("age, type, download name and headers of one's own", async () => {
  const { at } = await serving();
  expect((await get(`${at}/kept`)).headers.get("cache-control")).toBe("public, max-age=60, immutable");
  expect((await get(`${at}/typed`)).headers.get("content-type")).toBe("text/x-own");
  expect((await get(`${at}/download`)).headers.get("content-disposition")).toBe('attachment; filename="ten.txt"');
  expect((await get(`${at}/download-as`)).headers.get("content-disposition")).toBe(
    `attachment; filename="Ente ___.txt"; filename*=UTF-8''Ente%20%22%C3%A4%22.txt`,
  );
  const own = await get(`${at}/own-headers`);
  expect([own.body, own.headers.get("cache-control"), own.headers.get("set-cookie")]).toEqual([TEN, "no-store", "a=1"]);
  const page = await get(`${at}/own-page`, { range: "bytes=0-1" });
  expect([page.status, page.body]).toEqual([404, TEN]);
});

test("files go through plugins' hooks and over HTTP/2 as they do without", async () => {
  const stamp = {
    name: "stamp",
    server: (fastify: { addHook(name: string, hook: unknown): unknown }) =>
      void fastify.addHook(
        "onSend",
        async (_request: unknown, reply: { header(name: string, value: string): void }) =>
          void reply.header("x-stamp", "1"),
      ),
  };
  const hooked = await serving({ plugins: [stamp as never] });
  const part = await get(`${hooked.at}/files/ten.txt`, { range: "bytes=2-4" });
  expect([part.status, part.body]).toEqual([206, "234"]);
  expect([part.headers.get("content-length"), part.headers.get("x-stamp")]).toEqual(["3", "1"]);
  const secure = await serving({ server: { https: certificate, http2: true } });
  const answer = await ask(await session(secure.at), { ":path": "/files/ten.txt", range: "bytes=2-4" });
  expect(answer).toMatchObject({ status: 206, body: "234", headers: { "content-range": "bytes 2-4/10" } });
});

test("a large file is never in memory whole, and a client that goes lets go of it", async () => {
  const { port, folder, stats } = await serving({ requestHandling: { maxWorkers: 1 } });
  const size = 1024 ** 3;
  // Sparse: it takes no space, and reads as zeros.
  truncateSync(join(folder, "ten.txt"), size);
  expect(statSync(join(folder, "ten.txt")).size).toBe(size);
  const before = process.memoryUsage.rss();
  const client = connect(port, "127.0.0.1");
  let received = 0;
  client.on("data", (chunk) => {
    received += chunk.byteLength;
  });
  client.write("GET /files/ten.txt HTTP/1.1\r\nHost: a\r\n\r\n");
  await until(() => received > 100 * 1024 ** 2, 20_000);
  client.pause();
  expect(process.memoryUsage.rss() - before).toBeLessThan(100 * 1024 ** 2);
  expect(stats().active).toBe(1);
  client.destroy();
  await until(() => stats().active === 0);
}, 30_000);

test("a streamed answer that is not as long as it says is cut, and never runs into the next one", async () => {
  const { port, lines } = await serving();
  for (const path of ["/too-long", "/too-short"]) {
    const answer = await raw(port, [
      `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`,
      "GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    ]);
    expect(answer, path).not.toContain("next");
    expect(answer.split("\r\n\r\n")[1]?.length, path).toBeLessThanOrEqual(4);
    expect(answer, path).not.toContain("abcd" + "HTTP");
  }
  await until(() => lines.filter((line) => line["outcome"] === "broken-off").length === 2);
  expect(JSON.stringify(lines)).toContain("content-length of a streamed reply says 3 bytes, and it has at least 4");
});

test("what is no path is refused where it is written", () => {
  expect(() => file(5 as never)).toThrow(/expected a path or a file: URL, got number/);
  expect(() => file("a", { maxAgeSeconds: 1.5 })).toThrow(/maxAgeSeconds must be a whole number/);
});
