/** Upgrades that become no WebSocket: what is wrong with a handshake, and an answer in place of one. */
import { type IncomingMessage, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";

/** RFC 6455 4.1: 16 bytes in base64. */
const KEY = /^[+/0-9A-Za-z]{22}==$/;
const TOKENS = /^\s*[\w!#$%&'*+.^`|~-]+(?:\s*,\s*[\w!#$%&'*+.^`|~-]+)*\s*$/;

/** Is it a WebSocket that it asks for? */
export function asksForWebSocket(request: IncomingMessage): boolean {
  return request.headers.upgrade?.toLowerCase() === "websocket";
}

/** Why an answer to an upgrade is no handshake: status, words, and a header line (`name\nvalue`). */
export type Refusal = readonly [status: number, detail: string, header?: string];

/**
 * What is wrong with a WebSocket handshake. RFC 6455 4.2. The `ws` library would find it, too, but only when a thread has
 * taken the socket and the app's `open` has run.
 */
export function whyNoHandshake(request: Pick<IncomingMessage, "method" | "headers">): Refusal | undefined {
  const { method, headers } = request;
  if (method !== "GET") return [405, `A WebSocket is opened with GET, not ${method}.`, "allow\nGET"];
  if (headers["sec-websocket-version"] !== "13") {
    return [426, "The Sec-WebSocket-Version is not 13.", "sec-websocket-version\n13"];
  }
  if (!KEY.test(headers["sec-websocket-key"] ?? "")) return [400, "The Sec-WebSocket-Key is not 16 bytes in base64."];
  const protocols = headers["sec-websocket-protocol"];
  if (protocols !== undefined && !TOKENS.test(protocols)) {
    return [400, "The Sec-WebSocket-Protocol is no list of names."];
  }
  return undefined;
}

/** Answers an upgrade as though it were an ordinary request, and ends the connection with that. */
export function answerUpgrade(
  socket: Duplex,
  status: number,
  contentType = "",
  headers: string | null = null,
  body = "",
): void {
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\ndate: ${new Date().toUTCString()}\r\nconnection: close\r\n`;
  const flat = headers === null ? [] : headers.split("\n");
  for (let i = 0; i + 1 < flat.length; i += 2) head += `${flat[i]}: ${flat[i + 1]}\r\n`;
  if (contentType !== "") head += `content-type: ${contentType}\r\n`;
  // Read on, or the client's own end would never be heard.
  socket.resume().end(`${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}
