/**
 * Clients that stop in the middle while the server is on its way down. Told as it happened: one upload that came half, or
 * one HTTP/2 client that opened a stream and read nothing, made SIGTERM last shutdownTimeoutMs, and the exit code 1.
 */
import { connect, type Socket } from "node:net";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { answerOf, session } from "./support/http2.ts";
import { gate, start, type TestServer, until } from "./support/server.ts";

const [ENTERED, OPEN] = [0, 1] as const;
beforeEach(() => void gate.fill(0));

const shutdownTimeoutMs = 4000;
const https = { key: "./tls/key.pem", cert: "./tls/cert.pem" };
const plain = (): Promise<TestServer> => start("uploads.ts", { server: { shutdownTimeoutMs } });
const secure = (): Promise<TestServer> => start("uploads.ts", { server: { shutdownTimeoutMs, https, http2: true } });

/** A client with what it has heard. */
function client(
  port: number,
  ...parts: readonly string[]
): { socket: Socket; heard: () => string; closed: Promise<void> } {
  const socket = connect(port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  let heard = "";
  socket.on("error", () => undefined);
  socket.on("data", (data) => {
    heard += data.toString();
  });
  for (const part of parts) socket.write(part);
  const closed = new Promise<void>((resolve) => void socket.once("close", resolve));
  return { socket, heard: () => heard, closed };
}

const head = (path: string): string =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`;

test("an upload that has stopped half way, to be collected, hears 503 and does not hold the shutdown", async () => {
  const server = await plain();
  const half = client(server.port, "POST /whole HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n", "12345");
  await fetch(`${server.at}/none`); // what has been written before this has been read
  expect(await server.close()).toEqual({ forced: false });
  await half.closed;
  expect(half.heard()).toMatch(/^HTTP\/1.1 503 [\s\S]*connection: close\r\n/i);
});

test("a handler that reads a body which has stopped half way hears so, and its client hears 408", async () => {
  const server = await plain();
  const half = client(server.port, head("/read"), "5\r\n12345\r\n");
  await until(() => gate[ENTERED] === 5);
  expect(await server.close()).toEqual({ forced: false });
  await half.closed;
  expect(half.heard()).toMatch(/^HTTP\/1.1 408 /);
  expect(server.lines.filter(({ msg }) => msg === "A handler failed")).toEqual([]);
});

test("a handler that works, with only half of its body there, is finished all the same", async () => {
  const server = await plain();
  const half = client(server.port, head("/work"), "5\r\n12345\r\n");
  await until(() => gate[ENTERED] === 1);
  const closing = server.close();
  // The body is given up after a quarter of the time; the handler goes on until well after that.
  setTimeout(() => Atomics.store(gate, OPEN, 1), shutdownTimeoutMs / 2);
  expect(await closing).toEqual({ forced: false });
  await half.closed;
  expect(half.heard()).toMatch(/^HTTP\/1.1 200 [\s\S]*worked/);
});

test("an upload that goes on, however slowly, is finished", async () => {
  const server = await plain();
  const slow = client(server.port, head("/read"), "1\r\nx\r\n");
  await until(() => gate[ENTERED] === 1);
  const closing = server.close();
  let sent = 1;
  const timer = setInterval(() => {
    if (++sent <= 10) slow.socket.write("1\r\nx\r\n");
    else {
      clearInterval(timer);
      slow.socket.write("0\r\n\r\n");
    }
  }, shutdownTimeoutMs / 20);
  onTestFinished(() => clearInterval(timer));
  expect(await closing).toEqual({ forced: false });
  await slow.closed;
  expect(slow.heard()).toMatch(/^HTTP\/1.1 200 [\s\S]*{"bytes":10}/);
});

test("a large answer that is on its way when the shutdown begins is finished, also for a client that pauses", async () => {
  // Told as it happened: Node took such a connection for idle, as the whole answer had been written, and it was cut.
  const server = await start("uploads.ts", { server: { shutdownTimeoutMs: 12_000 } });
  const { socket, closed } = client(server.port);
  let bytes = 0;
  socket.removeAllListeners("data");
  socket.pause();
  socket.write("GET /large HTTP/1.1\r\nHost: x\r\n\r\n");
  await until(() => socket.readableLength > 0);
  const closing = server.close();
  await new Promise((resolve) => setTimeout(resolve, 1000)); // what is idle has been closed, and cut after that
  socket.on("data", (data) => {
    bytes += data.byteLength;
  });
  socket.resume();
  expect(await closing).toEqual({ forced: false });
  await closed;
  expect(bytes).toBeGreaterThan(20_000_000);
});

test.each(["/large", "/endless"])("a client that takes nothing of %s does not hold the shutdown", async (path) => {
  const server = await plain();
  const { socket } = client(server.port);
  socket.pause();
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
  await until(() => socket.readableLength > 0);
  expect(await server.close()).toEqual({ forced: false });
});

test.each(["/large", "/endless"])(
  "an HTTP/2 client that takes nothing of %s does not hold the shutdown",
  async (path) => {
    const server = await secure();
    const stream = (await session(server.at)).request({ ":path": path });
    stream.on("error", () => undefined);
    stream.pause();
    await new Promise((resolve) => stream.once("response", resolve));
    expect(await server.close()).toEqual({ forced: false });
  },
);

test.each([
  ["/whole", 503],
  ["/read", 408],
])("an HTTP/2 upload to %s that has stopped half way hears %i and does not hold the shutdown", async (path, status) => {
  const server = await secure();
  const from = await session(server.at);
  const stream = from.request({ ":method": "POST", ":path": path, "content-type": "application/json" });
  stream.write("[1, ");
  const answer = answerOf(stream);
  if (path === "/read") await until(() => gate[ENTERED] === 4);
  else await answerOf(from.request({ ":path": "/none" }));
  expect(await server.close()).toEqual({ forced: false });
  expect(await answer).toMatchObject({ status });
});
