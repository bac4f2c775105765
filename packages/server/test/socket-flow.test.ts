import { createRequire } from "node:module";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import type { ClientOptions, WebSocket as WsClient } from "ws";
import { gate, start, until } from "./support/server.ts";

const { WebSocket } = createRequire(import.meta.url)("ws") as {
  WebSocket: new (url: string, options?: ClientOptions) => WsClient;
};
const [SENT, OPEN, HANDLED, CLOSED] = [0, 1, 2, 3] as const;
const MIB = 1024 * 1024;
beforeEach(() => void gate.fill(0));

async function open(url: string, options: ClientOptions = {}): Promise<WsClient> {
  const socket = new WebSocket(url.replace("http", "ws"), options);
  onTestFinished(() => socket.terminate());
  socket.on("error", () => undefined);
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  return socket;
}

test("a client that answers pings is kept, and one that does not is cut with 1006", async () => {
  const server = await start("socket-flow.ts");
  const alive = await open(`${server.at}/pinged`);
  let pings = 0;
  alive.on("ping", () => pings++);
  const dead = await open(`${server.at}/pinged`, { autoPong: false });
  const closed = new Promise<number>((resolve) => dead.on("close", resolve));
  expect(await closed).toBe(1006);
  await until(() => gate[CLOSED] === 1006);
  const seen = pings;
  await until(() => pings >= seen + 3);
  expect(alive.readyState).toBe(alive.OPEN);
});

test("a client that does not read holds its handler up, and gets all of it once it does", async () => {
  const server = await start("socket-flow.ts");
  const client = new WebSocket(`${server.at.replace("http", "ws")}/flood`);
  onTestFinished(() => client.terminate());
  let received = 0;
  client.on("message", (data: Buffer) => {
    received += data.byteLength;
  });
  const closed = new Promise<number>((resolve) => client.on("close", resolve));
  await new Promise((resolve) => client.once("open", resolve));
  client.pause();
  // It goes on until the socket's buffers and its own are full, and not one piece further.
  let before = -1;
  while (gate[SENT] !== before) {
    before = gate[SENT] ?? 0;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  expect(before).toBeGreaterThan(0);
  expect(before * piece).toBeLessThan(32 * MIB);
  client.resume();
  expect(await closed).toBe(4000);
  expect(received).toBe(1600 * piece);
});

const piece = 64 * 1024;

test("a handler that does not come round holds its client up, and handles all of it in the end", async () => {
  const server = await start("socket-flow.ts");
  const client = await open(`${server.at}/slow`);
  const count = 640;
  for (let i = 0; i < count; i++) client.send(Buffer.alloc(piece));
  let before = -1;
  while (client.bufferedAmount !== before) {
    before = client.bufferedAmount;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  // Most of it never left the client: the server does not read what nobody handles.
  expect(before).toBeGreaterThan(10 * MIB);
  expect(gate[HANDLED]).toBe(0);
  gate[OPEN] = 1;
  await until(() => gate[HANDLED] === count, 10_000);
});
