/** Clients that drip their requests, or take their answers drop by drop: all are cut in time, and others do not notice. */
import { connect, type Socket } from "node:net";
import { definePlugin } from "@duck-ts/server";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { gate, start, type TestServer, until } from "./support/server.ts";

const [RUNS, FINALLY] = [2, 4] as const;
beforeEach(() => void gate.fill(0));

const slow = 100;
const timeouts = { headersTimeoutMs: 600, requestTimeoutMs: 600, stallTimeoutMs: 400, keepAliveTimeoutMs: 30_000 };
const hook = definePlugin({ name: "hook", server: (fastify) => void fastify.addHook("onSend", async () => undefined) });

/** Connections that the server has open. */
function connections(server: TestServer): Promise<number> {
  return new Promise((resolve, reject) =>
    server.fastify.server.getConnections((error, count) => (error === null ? resolve(count) : reject(error))),
  );
}

/** Opens `slow` connections that begin with `head` and then give, or take, a byte at a time. */
function crowd(port: number, head: string, drip: (socket: Socket) => void): { heard: string[]; cut: () => number } {
  const heard: string[] = [];
  let cut = 0;
  for (let i = 0; i < slow; i++) {
    const socket = connect(port, "127.0.0.1");
    const timer = setInterval(() => drip(socket), 50);
    heard.push("");
    // Before its first drop, also where the drops begin before it is connected.
    socket.write(head);
    socket.on("error", () => undefined);
    socket.on("close", () => {
      cut++;
      clearInterval(timer);
    });
    if (!head.includes("/endless")) {
      socket.on("data", (data) => {
        heard[i] += data.toString();
      });
    }
    onTestFinished(() => void socket.destroy());
  }
  return { heard, cut: () => cut };
}

/** Others, meanwhile. */
async function others(server: TestServer): Promise<number> {
  let right = 0;
  for (let i = 0; i < 40; i++) if ((await fetch(`${server.at}/quick`)).status === 200) right++;
  return right;
}

test.each([
  ["headers", "GET /quick HTTP/1.1\r\nHost: x\r\nX-Slow: "],
  ["bodies", "POST /wait/0 HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\n"],
])("clients that drip their %s are all cut with 408, and nothing of theirs is run", async (_what, head) => {
  const server = await start("faults.ts", { server: timeouts });
  const clients = crowd(server.port, head, (socket) => void socket.write("x"));
  expect(await others(server)).toBe(40);
  await until(() => clients.cut() === slow, 15_000);
  expect(clients.heard.filter((answer) => answer.startsWith("HTTP/1.1 408 "))).toHaveLength(slow);
  expect([gate[RUNS], server.stats().active]).toEqual([0, 0]);
});

test.each([
  ["straight", []],
  ["through a plugin's hook", [hook]],
])(
  "clients that hardly read are all cut, having cost their window, and their generators end (%s)",
  async (_how, plugins) => {
    const server = await start("faults.ts", { server: timeouts, plugins });
    crowd(server.port, "GET /endless HTTP/1.1\r\nHost: x\r\n\r\n", (socket) => void socket.read(1));
    // All have begun; on a busy machine the first have been cut by then.
    await until(() => server.stats().active + (gate[FINALLY] as number) >= slow, 15_000);
    expect(await others(server)).toBe(40);
    await until(() => gate[FINALLY] === slow, 15_000);
    await until(() => server.stats().active === 0);
    // What is left are the kept connections of the others.
    for (const end = performance.now() + 5000; (await connections(server)) > 5 && performance.now() < end; );
    expect(await connections(server)).toBeLessThan(5);
    // A window of 16 pieces of 64 KiB each, and what the kernel's buffers take.
    expect(gate[RUNS]).toBeLessThan(slow * 200);
  },
);

test("an answer that is taken steadily is not cut, however long it takes", async () => {
  const server = await start("basic.ts", { server: timeouts });
  const socket = connect(server.port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  let bytes = 0;
  let ended = false;
  socket.on("end", () => {
    ended = true;
  });
  socket.on("data", (data) => {
    bytes += data.byteLength;
    // 20 MiB in some 80 sips: several times the stall timeout altogether.
    if (Math.floor(bytes / 262_144) > Math.floor((bytes - data.byteLength) / 262_144)) {
      socket.pause();
      setTimeout(() => socket.resume(), 20);
    }
  });
  socket.write("GET /big/20 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  await until(() => ended || socket.destroyed, 15_000);
  expect(bytes).toBeGreaterThan(20 * 1024 * 1024);
});
