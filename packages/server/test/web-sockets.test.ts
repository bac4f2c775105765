import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { createRequire } from "node:module";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { DuckPlugin } from "@duck-ts/server";
import { expect, onTestFinished, test } from "vitest";
import type { WebSocket as WsClient } from "ws";
import { raw, start, until } from "./support/server.ts";

const { WebSocket } = createRequire(import.meta.url)("ws") as { WebSocket: new (url: string) => WsClient };

const HANDSHAKE = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";

interface Client {
  readonly socket: WsClient;
  readonly heard: string[];
  readonly closed: Promise<[number, string]>;
}
const client = async (url: string): Promise<Client> => {
  const socket = new WebSocket(url.replace("http", "ws"));
  const heard: string[] = [];
  socket.on("message", (data: Buffer) => heard.push(data.toString()));
  const closed = new Promise<[number, string]>((resolve) =>
    socket.on("close", (code, reason) => resolve([code, reason.toString()])),
  );
  await new Promise((resolve, reject) => socket.on("open", resolve).on("error", reject));
  return { socket, heard, closed };
};

test("a socket's callbacks run in order on one thread, with params, query and state", async () => {
  const server = await start("sockets.ts");
  const { socket, heard, closed } = await client(`${server.at}/room/blue?x=1`);
  for (const text of ["slow", "b", "c", "bye"]) socket.send(text);
  expect(await closed).toEqual([4001, "as you wish"]);
  expect(JSON.parse(heard[0] ?? "")).toMatchObject({
    room: "blue",
    query: { x: "1" },
    thread: expect.stringMatching(/^request/),
  });
  expect(heard.slice(1)).toEqual(["1:slow", "2:b", "3:c", "4:bye"]);
  await until(() => server.stats().active === 0);
});

test("binary and text go both ways; a message above the limit closes with 1009", async () => {
  const server = await start("sockets.ts");
  const { socket, heard, closed } = await client(`${server.at}/echo`);
  socket.send("text");
  socket.send(Buffer.from("bytes"));
  await until(() => heard.length === 2);
  expect(heard).toEqual(["text", "bytes"]);
  socket.send("x".repeat(1001));
  expect((await closed)[0]).toBe(1009);
});

test("any bytes are sent as they are, and what is neither bytes nor text is said to be", async () => {
  // Told as it happened: an object went out as no bytes at all, 5 as five of them, and of 16-bit numbers half was lost.
  const server = await start("sockets.ts");
  const ask = async (what: string): Promise<unknown[]> => {
    const socket = new WebSocket(`${server.at.replace("http", "ws")}/send/${what}`);
    const heard: string[] = [];
    socket.on("message", (data: Buffer) => heard.push(data.toString("hex")));
    const [code] = (await once(socket, "close")) as [number];
    return [code, ...heard];
  };
  expect([await ask("view"), await ask("buffer")]).toEqual([
    [1000, "00ff"],
    [1000, "000000"],
  ]);
  for (const what of ["object", "number", "nothing"]) expect(await ask(what)).toEqual([1011]);
  expect(server.lines.flatMap((line) => (line["err"] as { message: string } | undefined)?.message ?? [])).toEqual(
    ["object", "number", "undefined"].map((type) => `send() takes a string or bytes, got ${type}.`),
  );
});

test("a request without a handshake is told that WebSockets are spoken there", async () => {
  const { port } = await start("sockets.ts");
  for (const method of ["GET", "HEAD"]) {
    const answer = await raw(port, `${method} /echo HTTP/1.1\r\nHost: a\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1.1 426 Upgrade Required\r\n[\s\S]*upgrade: websocket\r\n/);
  }
  expect(await raw(port, "POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).toMatch(/^HTTP\/1.1 405/);
});

test("a plugin that answers every upgrade it sees does not see those of the app", async () => {
  const plugin: DuckPlugin = {
    name: "answers-all",
    server({ server }) {
      server.on("upgrade", (request: IncomingMessage, socket: Socket) => {
        const [status, end] = request.url === "/theirs" ? ["418 Theirs", "x"] : ["404 Not Found", ""];
        socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: ${end.length}\r\n\r\n${end}`);
      });
    },
  };
  const server = await start("sockets.ts", { plugins: [plugin] });
  const { socket, heard, closed } = await client(`${server.at}/echo`);
  socket.send("ours");
  await until(() => heard.length === 1);
  socket.close();
  expect([heard, (await closed)[0]]).toEqual([["ours"], 1005]);
  const handshake = "HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
  expect(await raw(server.port, `GET /theirs ${handshake}`)).toMatch(/^HTTP\/1.1 418 Theirs\r\n[\s\S]*x$/);
});

test("a callback that throws closes the socket with 1011", async () => {
  const server = await start("sockets.ts");
  const { socket, closed } = await client(`${server.at}/room/x`);
  socket.send("throw");
  expect((await closed)[0]).toBe(1011);
});

test("the death of its thread closes the socket with 1012, and the server goes on", async () => {
  const server = await start("sockets.ts");
  const { socket, closed } = await client(`${server.at}/room/x`);
  socket.send("die");
  expect((await closed)[0]).toBe(1012);
  const again = await client(`${server.at}/echo`);
  again.socket.send("still there");
  await until(() => again.heard.length === 1);
  again.socket.close();
  await again.closed;
});

test("the close callback hears the code, whoever closed, and 1006 where nobody said goodbye", async () => {
  const server = await start("sockets.ts", { requestHandling: { maxWorkers: 1 } });
  // A client hears of its end before the callback does, so the next one waits until that is over, too.
  const over = (): Promise<void> => until(() => server.stats().active === 0);
  const first = await client(`${server.at}/room/x`);
  first.socket.send("bye");
  await first.closed;
  await over();
  const second = await client(`${server.at}/room/x`);
  second.socket.close(4002);
  await second.closed;
  await over();
  const third = await client(`${server.at}/room/x`);
  third.socket.terminate();
  await third.closed;
  await over();
  expect(await (await fetch(`${server.at}/closed-with`)).json()).toEqual([4001, 4002, 1006]);
});

test("an upgrade on a path that has no socket is refused, with a line and a figure as any answer has", async () => {
  const server = await start("sockets.ts");
  await expect(client(`${server.at}/plain?x=1`)).rejects.toThrow(/404/);
  expect(await (await fetch(`${server.at}/plain`)).text()).toBe("plain");
  expect(server.lines.filter((line) => line["status"] === 404)).toEqual([
    expect.objectContaining({ method: "GET", path: "/plain", route: null, thread: "main", ip: "127.0.0.1" }),
  ]);
  expect(await (await fetch(`${server.at}/metrics`)).text()).toContain(
    'duck_http_requests_total{method="GET",route="(none)",status="404"} 1',
  );
});

test.each([
  ["GET", "", "426", /sec-websocket-version: 13\r\n/],
  ["GET", "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short", "400", /16 bytes in base64/],
  ["GET", `${HANDSHAKE}\r\nSec-WebSocket-Protocol: a b`, "400", /no list of names/],
  ["GET", `${HANDSHAKE}\r\nHost: b`, "400", /two Host headers/],
  ["POST", HANDSHAKE, "405", /allow: GET\r\n/],
])(
  "a handshake that is none (%s, %j) is a %s, and neither the app nor a thread hears of it",
  async (method, headers, status, says) => {
    // Told as it happened: the ws library found it, once the app's open() had run, and the access line said 101.
    const server = await start("sockets.ts");
    const request = `${method} /echo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${headers}\r\n\r\n`;
    const answer = await raw(server.port, request.replace("\r\n\r\n\r\n", "\r\n\r\n"));
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} [^\\r]+\\r\\n`));
    expect(answer).toContain("\r\ncontent-type: application/problem+json; charset=utf-8\r\n");
    expect(answer).toMatch(says);
    expect(server.lines.filter((line) => line["route"] === "/echo")).toEqual([
      expect.objectContaining({ method, path: "/echo", status: Number(status), msg: "request" }),
    ]);
  },
);

test.each(["http", "https"])(
  "over %s an upgrade that is no WebSocket is passed over, and the request is answered as any other",
  async (scheme) => {
    // Told as it happened: an app with a socket route answered 404 to Java's HttpClient and to curl --http2, whatever they asked.
    const https = { key: "./tls/key.pem", cert: "./tls/cert.pem" };
    const server = await start("sockets.ts", scheme === "https" ? { server: { https } } : {});
    const to = { port: server.port, host: "127.0.0.1" };
    const socket = scheme === "https" ? connectTls({ ...to, rejectUnauthorized: false }) : connect(to);
    onTestFinished(() => void socket.destroy());
    let heard = "";
    socket.on("data", (data) => {
      heard += data.toString();
    });
    const upgrade =
      "Host: x\r\nConnection: keep-alive, Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAA\r\n";
    socket.write(`GET /plain HTTP/1.1\r\n${upgrade}\r\n`);
    await until(() => heard.endsWith("plain"));
    expect(heard).toMatch(/^HTTP\/1.1 200 OK/);
    // Its body comes in two pieces; the connection is the same, and so it is for the next request. (Not sent ahead of the
    // answer: what stands behind such a request in one read is lost by Node itself, from 22.21 and 24.9 on.)
    heard = "";
    socket.write(`POST /said HTTP/1.1\r\n${upgrade}Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhe`);
    socket.write("llo");
    await until(() => heard.includes('"hello"'));
    socket.write("GET /plain HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    await once(socket, "close");
    expect(heard).toContain('{"body":"hello",');
    expect(heard).toMatch(/HTTP\/1.1 200 OK[\s\S]*HTTP\/1.1 200 OK[\s\S]*plain$/);
    await until(() => server.stats().active === 0);
  },
);

test("a shutdown closes sockets with 1001", async () => {
  const server = await start("sockets.ts");
  const { closed } = await client(`${server.at}/echo`);
  expect(await server.close()).toEqual({ forced: false });
  expect((await closed)[0]).toBe(1001);
});
