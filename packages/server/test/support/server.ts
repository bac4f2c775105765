/** Starts a server on a fixture app and talks to it over real sockets. */
import { connect, type Socket } from "node:net";
import { setEnvironmentData } from "node:worker_threads";
import { type CreateServerOptions, createServer, type DuckConfig, type DuckServer } from "@duck-ts/server";
import { onTestFinished } from "vitest";

export const fixtures = new URL("../fixtures/", import.meta.url).pathname;

/** Cells that tests and the handlers of fixtures share, whatever thread they are in. */
export const gate: Int32Array<SharedArrayBuffer> = new Int32Array(new SharedArrayBuffer(256));
setEnvironmentData("duck-test-gate", gate.buffer);

export interface TestServer extends DuckServer {
  readonly at: string;
  readonly port: number;
  /** Log lines so far, parsed. */
  readonly lines: Record<string, unknown>[];
}

/** A listening server on a free port; closed when the test ends. */
export async function start(
  app: string,
  config: Omit<DuckConfig, "app"> = {},
  options: CreateServerOptions = {},
): Promise<TestServer> {
  const lines: Record<string, unknown>[] = [];
  const logStream = {
    write(text: string): void {
      for (const line of text.split("\n"))
        if (line.startsWith("{")) lines.push(JSON.parse(line) as Record<string, unknown>);
    },
  };
  const server = await createServer(
    {
      app: `./${app}`,
      ...config,
      server: { port: 0, shutdownTimeoutMs: 3000, ...config.server },
      requestHandling: { maxWorkers: 2, ...config.requestHandling },
      log: { level: "info", pretty: false, ...config.log },
    },
    { root: fixtures, logStream, ...options },
  );
  onTestFinished(async () => void (await server.close()));
  const at = await server.listen();
  return Object.assign(Object.create(server) as DuckServer, { at, port: Number(new URL(at).port), lines });
}

/** Resolves when `check` says so; rejects after `limitMs`. */
export async function until(check: () => boolean, limitMs = 5000): Promise<void> {
  const end = performance.now() + limitMs;
  while (!check()) {
    if (performance.now() > end) throw new Error(`Not within ${limitMs} ms: ${check.toString()}`);
    await new Promise((turn) => setTimeout(turn, 2));
  }
}

/** Sends bytes as they are and gives back all that came until the server ended the connection, or `limitMs` had passed. */
export function raw(port: number, bytes: string | readonly string[], limitMs = 2000): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(port, "127.0.0.1");
    let text = "";
    const timer = setTimeout(() => socket.destroy(), limitMs);
    socket.on("connect", () => {
      for (const part of typeof bytes === "string" ? [bytes] : bytes) socket.write(part, "latin1");
    });
    socket.on("data", (data) => {
      text += data.toString("latin1");
    });
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(text);
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "ECONNRESET" && error.code !== "EPIPE") reject(error);
    });
  });
}
