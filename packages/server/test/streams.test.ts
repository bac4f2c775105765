import { connect } from "node:net";
import { beforeEach, expect, test } from "vitest";
import { gate, raw, start, until } from "./support/server.ts";

const [ENTERED, OPEN, RUNS, , FINALLY] = [0, 1, 2, 3, 4] as const;
beforeEach(() => void gate.fill(0));

test("pieces leave as they are made, also when the generator then blocks its thread", async () => {
  const server = await start("faults.ts");
  const response = await fetch(`${server.at}/piecewise`);
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe("one");
  await until(() => gate[ENTERED] === 1);
  Atomics.store(gate, OPEN, 1);
  Atomics.notify(gate, OPEN);
  expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe("two");
});

test("a large body arrives whole", async () => {
  const server = await start("basic.ts");
  const response = await fetch(`${server.at}/big/20`);
  expect((await response.arrayBuffer()).byteLength).toBe(20 * 1024 * 1024);
});

test("a client that does not read stops the generator, within the window", async () => {
  const server = await start("faults.ts");
  const socket = connect(server.port, "127.0.0.1");
  socket.write("GET /endless HTTP/1.1\r\nHost: x\r\n\r\n");
  socket.pause();
  let last = -1;
  await until(() => {
    const now = gate[RUNS] as number;
    const same = now === last && now > 0;
    last = now;
    return same;
  }, 10_000);
  // The window is 16 pieces; the rest is what the kernel's buffers took.
  expect(gate[RUNS]).toBeLessThan(200);
  socket.destroy();
  await until(() => gate[FINALLY] === 1);
});

test.each(["/endless", "/endless-async"])(
  "%s: a client that goes away has the generator's finally run",
  async (path) => {
    const server = await start("faults.ts");
    const controller = new AbortController();
    const response = await fetch(server.at + path, { signal: controller.signal });
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    controller.abort();
    await reader.read().catch(() => undefined);
    await until(() => gate[FINALLY] === 1);
    await until(() => server.stats().active === 0);
    expect(server.stats().outcomes["client-gone"]).toBe(1);
  },
);

test("an error after the first piece cuts the connection; one before it is a clean 500", async () => {
  const server = await start("faults.ts");
  const broken = await raw(server.port, "GET /fails-midway HTTP/1.1\r\nHost: x\r\n\r\n");
  expect(broken).toMatch(/^HTTP\/1.1 200 OK/);
  expect(broken).toContain("first");
  expect(broken).not.toMatch(/0\r\n\r\n$/);
  expect((await fetch(`${server.at}/fails-first`)).status).toBe(500);
});

test("an upload above 64 KiB is read as a stream by a handler that asks for one", async () => {
  const server = await start("basic.ts");
  const body = new Uint8Array(5 * 1024 * 1024).fill(7);
  const response = await fetch(`${server.at}/upload`, { method: "POST", body });
  expect(await response.json()).toEqual({ bytes: body.byteLength });
  const chunked = await fetch(`${server.at}/upload`, {
    method: "POST",
    body: new Blob([body]).stream(),
    duplex: "half",
  } as RequestInit);
  expect(await chunked.json()).toEqual({ bytes: body.byteLength });
});

test("an upload that its handler leaves is read to its end: the connection, the thread and the next upload go on", async () => {
  const server = await start("basic.ts");
  const body = "x".repeat(3_000_000);
  const length = `Host: x\r\nContent-Length: ${body.length}`;
  for (const path of ["/upload/first", "/upload/left"]) {
    const both = await raw(
      server.port,
      `POST ${path} HTTP/1.1\r\n${length}\r\n\r\n${body}POST /upload HTTP/1.1\r\nConnection: close\r\n${length}\r\n\r\n${body}`,
    );
    expect(both).toMatch(/"(first|left)":true/);
    expect(both).toContain(`{"bytes":${body.length}}`);
    expect(Object.values(server.stats().restarts).every((count) => count === 0)).toBe(true);
  }
});

test("an upload that its client breaks off aborts the handler", async () => {
  const server = await start("basic.ts");
  const socket = connect(server.port, "127.0.0.1");
  socket.write(`POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n${"x".repeat(100_000)}`);
  await until(() => server.stats().active === 1);
  socket.destroy();
  await until(() => server.stats().active === 0);
  // Its client's doing, and no failure of the handler's: the access line is all there is to say.
  await fetch(`${server.at}/plain`);
  expect(server.lines.filter((line) => Number(line["level"]) >= 40 && line["lagMs"] === undefined)).toEqual([
    expect.objectContaining({ status: 499, outcome: "client-gone" }),
  ]);
});
