/** How connections end when the server does: what a client can be told, it is told, and the rest ends without a reset. */
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { createServer } from "@duck-ts/server";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { appFolder } from "./support/command.ts";
import { gate, start, until } from "./support/server.ts";

const [ENTERED, OPEN, RUNS] = [0, 1, 2] as const;
beforeEach(() => void gate.fill(0));

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;

/** A connection that has had one answer and is kept; it closes its own side only when the test does. */
async function kept(port: number): Promise<{ socket: Socket; heard: () => string; errors: Error[] }> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  onTestFinished(() => void socket.destroy());
  let text = "";
  const errors: Error[] = [];
  socket.on("error", (error) => errors.push(error));
  socket.on("data", (data) => {
    text += data.toString();
  });
  socket.write(get("/quick"));
  await until(() => text.includes("true"));
  text = "";
  return { socket, heard: () => text, errors };
}

test("a request that crosses with the end of an idle connection is met with an end, not with a reset, and is not run", async () => {
  const server = await start("faults.ts");
  const { socket, heard, errors } = await kept(server.port);
  const ended = once(socket, "end");
  const closed = new Promise((resolve) => socket.once("close", resolve));
  const closing = server.close();
  await ended;
  // Were the server's socket gone, the first of these would be answered by a reset, and the second one fail.
  for (const path of ["/wait/0", "/wait/1"]) {
    socket.write(get(path));
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  socket.end();
  await closed;
  expect([heard(), errors, gate[RUNS]]).toEqual(["", [], 0]);
  expect(await closing).toEqual({ forced: false });
});

test("a client that never closes its side does not hold the shutdown up", async () => {
  const server = await start("faults.ts", { server: { shutdownTimeoutMs: 20_000 } });
  await kept(server.port);
  expect(await server.close()).toEqual({ forced: false });
});

test("a kept connection may bring one more request after the shutdown began, also where nothing was running", async () => {
  const server = await start("faults.ts");
  const { socket, heard, errors } = await kept(server.port);
  const closing = server.close();
  await new Promise((turn) => setImmediate(turn));
  socket.write(get("/quick"));
  await until(() => heard().includes("503"));
  expect(heard().toLowerCase()).toContain("connection: close");
  expect([await closing, errors]).toEqual([{ forced: false }, []]);
});

test("answers of main's own and of plugins end their connections during a shutdown too", async () => {
  const server = await start("faults.ts");
  const { socket, heard } = await kept(server.port);
  const held = fetch(`${server.at}/block`);
  await until(() => gate[ENTERED] === 1);
  const closing = server.close();
  socket.write(get("/healthz"));
  await until(() => heard().includes("\r\n\r\n"));
  expect(heard().toLowerCase()).toContain("connection: close");
  Atomics.store(gate, OPEN, 1);
  Atomics.notify(gate, OPEN);
  expect((await held).status).toBe(200);
  await closing;
});

test("an upload during which the app was reloaded is run by the route that then has its path", async () => {
  const app = (routes: string): string =>
    `import { defineApp, post } from "@duck-ts/server"; export default defineApp({ routes: [${routes}] });`;
  const first = app(`post("/a", () => "old a"), post("/b", () => "old b"), post("/c", () => "old c")`);
  const folder = appFolder({ "app.ts": first });
  const server = await createServer(
    { app: "./app.ts", server: { port: 0 }, requestHandling: { maxWorkers: 1 }, log: { level: "silent" } },
    { root: folder },
  );
  onTestFinished(async () => void (await server.close()));
  const port = Number(new URL(await server.listen()).port);
  const answers = new Map<string, string>();
  const uploads = ["/a", "/c"].map((path) => {
    const socket = connect(port, "127.0.0.1");
    socket.on("data", (data) => answers.set(path, (answers.get(path) ?? "") + data.toString()));
    socket.write(
      `POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nx`,
    );
    return socket;
  });
  await until(() => answers.size === 2);
  // The places of the routes change, and one is gone.
  writeFileSync(join(folder, "app.ts"), app(`post("/b", () => "new b"), post("/a", () => "new a")`));
  await server.reload();
  for (const socket of uploads) {
    socket.write("x");
    await once(socket, "close");
  }
  expect(answers.get("/a")).toMatch(/new a$/);
  expect(answers.get("/c")).toMatch(/HTTP\/1.1 404/);
});
