/**
 * Handlers and streamed answers that come to no end by themselves. Told as it happened: a handler that heeded no abort had
 * its slot for ever once its client had gone, and that, or a generator that never yielded again, made SIGTERM last
 * shutdownTimeoutMs, and the exit code 1.
 */
import { connect, type Socket } from "node:net";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { gate, start, type TestServer, until } from "./support/server.ts";

const [ENTERED, OPEN] = [0, 1] as const;
beforeEach(() => void gate.fill(0));

const serve = (shutdownTimeoutMs: number): Promise<TestServer> =>
  start("endless-streams.ts", { requestHandling: { maxWorkers: 1 }, server: { shutdownTimeoutMs } });

/** A client that has asked, and is being answered. */
async function asked(server: TestServer, path: string): Promise<{ socket: Socket; heard: () => string }> {
  const socket = connect(server.port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  let heard = "";
  socket.on("data", (data) => {
    heard += data.toString();
  });
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
  await until(() => (gate[ENTERED] as number) > 0);
  return { socket, heard: () => heard };
}

test.each([
  "/pool/finally",
  "/pool/behind",
  "/pool/before",
  "/pool/stuck-events",
  "/pool/response",
  "/pool/node",
  "/main/finally",
])("%s: when its client goes it is given up, whatever its generator does, and its thread goes on", async (path) => {
  const server = await serve(3000);
  (await asked(server, path)).socket.destroy();
  await until(() => server.stats().outcomes["client-gone"] === 1 && server.stats().active === 0);
  expect(await (await fetch(`${server.at}/quick`)).text()).toBe("quick");
  expect(await server.close()).toEqual({ forced: false });
  expect(server.stats().kills).toBe(0);
});

test.each(["/late/handler", "/late/empty"])(
  "%s: when its client has gone and its time is over, what never answers is given up as if the client had waited",
  async (path) => {
    const server = await serve(3000);
    (await asked(server, path)).socket.destroy();
    await until(() => server.stats().outcomes["client-gone"] === 1);
    await until(() => server.stats().active === 0);
    expect(await (await fetch(`${server.at}/quick`)).text()).toBe("quick");
  },
);

test.each(["/pool/handler", "/pool/empty", "/main/handler"])(
  "%s: what never answers a client that has gone does not hold a shutdown",
  async (path) => {
    const server = await serve(2000);
    (await asked(server, path)).socket.destroy();
    await until(() => server.stats().outcomes["client-gone"] === 1);
    expect(await server.close()).toEqual({ forced: false });
  },
);

test.each(["/pool/events", "/pool/stuck-events", "/main/events"])(
  "%s: a shutdown ends it at once, whatever its source does",
  async (path) => {
    const server = await serve(3000);
    const { heard } = await asked(server, path);
    expect(await server.close()).toEqual({ forced: false });
    await until(() => heard().endsWith("0\r\n\r\n"));
  },
);

test.each(["/pool/behind", "/pool/response", "/pool/node", "/main/behind"])(
  "%s: a shutdown does not wait to its end for a stream that gives nothing, and cuts it so that it does not look complete",
  async (path) => {
    const server = await serve(2000);
    const { socket, heard } = await asked(server, path);
    await until(() => heard().includes("first"));
    const closed = new Promise((resolve) => socket.once("close", resolve));
    expect(await server.close()).toEqual({ forced: false });
    await closed;
    expect(heard()).toMatch(/first\n\r\n$/);
    expect(server.stats().kills).toBe(0);
  },
);

test.each(["/pool/slow", "/main/slow"])("%s: a stream that gets on, however slowly, is finished", async (path) => {
  const server = await serve(6000);
  const { heard } = await asked(server, path);
  const closing = server.close();
  Atomics.store(gate, OPEN, 1);
  setTimeout(() => Atomics.store(gate, OPEN, 3), 4800); // what gives nothing has been given up
  expect(await closing).toEqual({ forced: false });
  await until(() => /3\r\n0\r\n\r\n$/.test(heard())); // its last pieces may have come as one
});
