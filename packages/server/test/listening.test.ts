import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { request } from "node:http";
import { createServer as createNetServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { createServer } from "@duck-ts/server";
import { expect, onTestFinished, test } from "vitest";
import { forwardedReader } from "../src/http/trust-proxy.ts";
import { appFolder } from "./support/command.ts";
import { fixtures, start } from "./support/server.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";

/** Asks over a unix socket. */
function ask(socketPath: string, path: string, headers: Record<string, string> = {}) {
  return new Promise<{ status: number; body: string }>((resolve, reject) => {
    request({ socketPath, path, headers, agent: false }, (response) => {
      let body = "";
      response.on("data", (chunk: Buffer) => {
        body += chunk.toString();
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
    })
      .on("error", reject)
      .end();
  });
}

const quiet = { root: fixtures, logStream: { write: () => undefined } };

test("a server listens on a unix socket, whose clients are local: they may ask for metrics, their proxies are loopback", async () => {
  const path = join(temporaryFolder(), "app.sock");
  const config = { app: "./basic.ts", server: { host: `unix:${path}`, trustProxy: "loopback" } };
  const server = await createServer(config, quiet);
  onTestFinished(async () => void (await server.close()));
  expect(await server.listen()).toBe(`unix:${path}`);
  expect((await ask(path, "/text")).body).toBe("plain");
  expect((await ask(path, "/metrics")).status).toBe(200);
  const forwarded = { "x-forwarded-for": "6.6.6.6, 10.0.0.9" };
  expect(JSON.parse((await ask(path, "/query", forwarded)).body)).toMatchObject({ ip: "10.0.0.9" });
  expect((await ask(path, "/metrics", forwarded)).status).toBe(404);
  await server.close();
  expect(existsSync(path)).toBe(false);
});

test("a client that has cut its connection has no address, and is not taken for a local one", () => {
  const server = createNetServer();
  const gone = { remoteAddress: undefined, server } as unknown as Socket;
  const request = { socket: gone, headers: { "x-forwarded-for": "10.0.0.9" } };
  expect(forwardedReader("loopback")?.(request as never)).toMatchObject({ ip: "" });
});

test("the path that a killed process left behind is taken over; one in use is not", async () => {
  const path = join(temporaryFolder(), "app.sock");
  const killed = spawn(process.execPath, [
    "-e",
    `require("net").createServer().listen(${JSON.stringify(path)}, () => console.log("up"))`,
  ]);
  await once(killed.stdout, "data");
  killed.kill("SIGKILL");
  await once(killed, "exit");
  expect(existsSync(path)).toBe(true);
  const config = { app: "./basic.ts", server: { host: `unix:${path}` } };
  const server = await createServer(config, quiet);
  onTestFinished(async () => void (await server.close()));
  await server.listen();
  const second = await createServer(config, quiet);
  onTestFinished(async () => void (await second.close()));
  await expect(second.listen()).rejects.toMatchObject({ code: "EADDRINUSE" });
  expect((await ask(path, "/text")).body).toBe("plain");
});

/** Runs the command as systemd does: with a listening socket as file descriptor 3, and its own process id beside it. */
async function activated(socket: Server, count: string) {
  const folder = appFolder({
    "src/app.ts": `import { defineApp, get } from "@duck-ts/server";
      export default defineApp({ routes: [get("/hello", () => "hello")] });`,
  });
  const bin = fileURLToPath(new URL("../bin/duck-ts.mjs", import.meta.url));
  const child = spawn("sh", ["-c", `LISTEN_PID=$$ exec "$0" "$@"`, process.execPath, bin, "serve"], {
    cwd: folder,
    env: { PATH: process.env.PATH, NODE_ENV: "production", LISTEN_FDS: count },
    stdio: ["ignore", "pipe", "pipe", handleOf(socket).fd],
  });
  let stderr = "";
  child.stderr?.on("data", (data: Buffer) => {
    stderr += data.toString();
  });
  const exited = once(child, "close").then(([code]) => code as number | null);
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await exited;
  });
  const said: Record<string, unknown>[] = [];
  const listens = new Promise<string>((resolve) => {
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on("line", (line) => {
      const parsed = JSON.parse(line) as Record<string, unknown>;
      said.push(parsed);
      if (typeof parsed["url"] === "string") resolve(parsed["url"]);
    });
  });
  return { child, exited, listens, error: () => stderr };
}

/** Node gives its file descriptor to nobody by other ways. */
const handleOf = (socket: Server): { fd: number; close(): void } =>
  (socket as unknown as { _handle: { fd: number; close(): void } })._handle;

async function listening(): Promise<Server> {
  const socket = createNetServer();
  socket.listen(0, "127.0.0.1");
  await once(socket, "listening");
  onTestFinished(() => void socket.close());
  return socket;
}

test("the socket that systemd hands over is served, whatever host and port say", async () => {
  const socket = await listening();
  const { port } = socket.address() as { port: number };
  const { child, exited, listens } = await activated(socket, "1");
  expect(await listens).toBe(`http://127.0.0.1:${port}`);
  // From here on only the command accepts: systemd, too, leaves the socket to its service.
  handleOf(socket).close();
  expect(await (await fetch(`http://127.0.0.1:${port}/hello`)).text()).toBe("hello");
  child.kill("SIGTERM");
  expect(await exited).toBe(0);
});

test("two sockets from systemd are an error that says what to do", async () => {
  const { exited, error } = await activated(await listening(), "2");
  expect(await exited).toBe(1);
  expect(error()).toMatch(/systemd hands over 2 sockets \(LISTEN_FDS\); expected 1\. Give the \.socket unit a single/);
});

test.each([
  [true, "6.6.6.6, 10.0.0.9", "6.6.6.6"],
  [false, "6.6.6.6, 10.0.0.9", "127.0.0.1"],
  [1, "6.6.6.6, 10.0.0.9", "10.0.0.9"],
  [2, "6.6.6.6, 10.0.0.9", "6.6.6.6"],
  ["127.0.0.1", "6.6.6.6, 10.0.0.9", "10.0.0.9"],
  [["loopback", "10.0.0.0/8"], "6.6.6.6, 10.0.0.9", "6.6.6.6"],
  ["192.168.0.0/16", "6.6.6.6", "127.0.0.1"],
  ["loopback", "not an address", "127.0.0.1"],
] as const)("trustProxy %j: X-Forwarded-For %s is client %s", async (trustProxy, forwarded, ip) => {
  const server = await start("basic.ts", { server: { trustProxy } });
  const seen = await fetch(`${server.at}/query`, { headers: { "x-forwarded-for": forwarded } });
  expect(await seen.json()).toMatchObject({ ip });
});
