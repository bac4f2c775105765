import { request } from "node:https";
import { createRequire } from "node:module";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { expect, test } from "vitest";
import type { WebSocket as WsClient } from "ws";
import { certificate } from "./support/http2.ts";
import { gate, start, type TestServer, until } from "./support/server.ts";

const { WebSocket } = createRequire(import.meta.url)("ws") as {
  WebSocket: new (url: string, options: object) => WsClient;
};
const [ENTERED, ABORTED, FINALLY, MADE] = [0, 3, 4, 5] as const;
const ca = certificate.cert;

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly complete: boolean;
}

/** HTTP/1.1 over TLS. */
function ask(
  url: string,
  method = "GET",
  body?: string | Buffer,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { method, ca, headers, agent: false }, (response) => {
      let text = "";
      response.on("data", (chunk: Buffer) => {
        text += chunk.toString();
      });
      response.on("error", () => undefined);
      response.on("close", () =>
        resolve({ status: response.statusCode ?? 0, body: text, complete: response.complete }),
      );
    });
    asked.on("error", reject);
    asked.end(body);
  });
}

const socket = (port: number): Promise<TLSSocket> =>
  new Promise((resolve, reject) => {
    const made = connectTls({ port, host: "127.0.0.1", ca, ALPNProtocols: ["http/1.1"] }, () => resolve(made));
    made.on("error", reject);
  });

// A server with HTTP/2 answers HTTP/1.1 clients as one without does.
test.each([
  ["HTTP/1.1 only", false],
  ["HTTP/1.1 beside HTTP/2", true],
])("over TLS, %s: answers, deadlines, streams, uploads, and clients that go", async (_what, http2) => {
  gate.fill(0);
  const server: TestServer = await start("secure.ts", { server: { https: certificate, http2 } });
  expect(server.at).toMatch(/^https:/);
  const seen = JSON.parse((await ask(`${server.at}/seen`)).body) as { request: string; ip: string };
  expect([seen.request, seen.ip]).toEqual([`${server.at}/seen`, "127.0.0.1"]);
  expect(await ask(`${server.at}/loop`)).toMatchObject({ status: 504 });
  expect(await ask(`${server.at}/pieces`)).toMatchObject({ body: "piece 0\npiece 1\npiece 2\n", complete: true });
  expect(await ask(`${server.at}/breaks`)).toMatchObject({ body: "begun", complete: false });
  expect(await ask(`${server.at}/length`, "POST", Buffer.alloc(3_000_000))).toMatchObject({
    body: '{"bytes":3000000}',
  });
  const json = { "content-type": "application/json" };
  expect(await ask(`${server.at}/echo`, "POST", '{"a":1}', json)).toMatchObject({ status: 200, body: '{"a":1}' });
  const [waits, endless] = [await socket(server.port), await socket(server.port)];
  waits.write("GET /waits HTTP/1.1\r\nHost: a\r\n\r\n");
  endless.write("GET /endless HTTP/1.1\r\nHost: a\r\n\r\n");
  await until(() => gate[ENTERED] === 1 && (gate[MADE] ?? 0) > 0);
  waits.destroy();
  endless.destroy();
  await until(() => gate[ABORTED] === 1 && gate[FINALLY] === 1);
});

test.each([
  ["HTTP/1.1 only", false],
  ["HTTP/1.1 beside HTTP/2", true],
])("over TLS, %s: WebSockets talk, and a shutdown closes them with 1001", async (_what, http2) => {
  const server = await start("secure.ts", { server: { https: certificate, http2 } });
  const client = new WebSocket(`${server.at.replace("https", "wss")}/socket`, { ca });
  const heard: string[] = [];
  client.on("message", (data: Buffer) => heard.push(data.toString()));
  const closed = new Promise<number>((resolve) => client.on("close", resolve));
  await new Promise((resolve, reject) => client.on("open", resolve).on("error", reject));
  client.send("quack");
  await until(() => heard.length === 1);
  expect(heard).toEqual(["quack"]);
  expect(await server.close()).toEqual({ forced: false });
  expect(await closed).toBe(1001);
});

test.each([
  ["HTTP/1.1 only", false],
  ["HTTP/1.1 beside HTTP/2", true],
])("over TLS, %s: slow headers are a 408, two Host headers a 400, idle connections end", async (_what, http2) => {
  const server = await start("secure.ts", {
    server: { https: certificate, http2, headersTimeoutMs: 300, keepAliveTimeoutMs: 100 },
  });
  const talk = async (...parts: string[]): Promise<string> => {
    const made = await socket(server.port);
    let text = "";
    made.on("data", (data: Buffer) => {
      text += data.toString();
    });
    const closed = new Promise((resolve) => made.on("close", resolve));
    for (const part of parts) made.write(part);
    await closed;
    return text;
  };
  expect(await talk("GET /seen HTTP/1.1\r\nHost:")).toMatch(/^HTTP\/1.1 408/);
  expect(await talk("GET /seen HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")).toMatch(/^HTTP\/1.1 400/);
  expect(await talk("GET /seen HTTP/1.1\r\n\r\n")).toMatch(/^HTTP\/1.1 400/);
  expect(await talk("GET /seen HTTP/1.1\r\nHost: a\r\n\r\n")).toMatch(/^HTTP\/1.1 200/);
});

test("a client that breaks off its TLS handshake, or speaks no TLS, harms nobody", async () => {
  const server = await start("secure.ts", { server: { https: certificate, http2: true } });
  await expect(fetch(`http://127.0.0.1:${server.port}/seen`)).rejects.toThrow();
  await expect(
    new Promise((_resolve, reject) => connectTls({ port: server.port, host: "127.0.0.1" }).on("error", reject)),
  ).rejects.toThrow();
  expect(await ask(`${server.at}/pieces`)).toMatchObject({ status: 200 });
});
