/**
 * Upgrades that are no WebSocket. RFC 9110 7.8 lets a server ignore them, and it has to: Java's HttpClient, and curl with
 * --http2, ask every http: server for `h2c` with their first request, and expect an answer to it all the same. Node hands
 * such a request out with its connection, unanswered, as soon as anybody listens to `upgrade`; before 22.21 and 24.9 always.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { CONTENT_TYPES, PROBLEM_TYPE } from "../app/encode-reply.ts";
import { problem } from "../app/problem.ts";
import { endAfterAnswer, isHttp2 } from "./http2-request.ts";
import { errorAnswer } from "./hygiene.ts";

/**
 * Answers CONNECT, which few origin servers implement (RFC 9110 9.3.6): without a listener Node cuts the connection without
 * a word, and with one that says nothing a stream of HTTP/2 stays open for ever.
 */
export function refuseTunnels(server: Server): void {
  server.on("connect", (request: IncomingMessage, to: Duplex | ServerResponse) => {
    if (isHttp2(request)) {
      const response = to as ServerResponse;
      endAfterAnswer(request, response);
      response.writeHead(501, { "content-type": CONTENT_TYPES[PROBLEM_TYPE] }).end(JSON.stringify(problem(501)));
    } else {
      // Read on, or the client's own end would never be heard.
      (to as Duplex).resume().end(errorAnswer(501));
    }
  });
}

/** Has the server take the request in once more, without the wish for an upgrade; what comes behind it too. */
export function answerWithout(server: Server, request: IncomingMessage, socket: Duplex, behind: Buffer): void {
  const { method, url, httpVersion, rawHeaders } = request;
  let text = `${method} ${url} HTTP/${httpVersion}\r\n`;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    const value = kept(name.toLowerCase(), rawHeaders[i + 1] as string);
    if (value !== undefined) text += `${name}: ${value}\r\n`;
  }
  socket.unshift(Buffer.concat([Buffer.from(`${text}\r\n`, "latin1"), behind]));
  server.emit("encrypted" in socket ? "secureConnection" : "connection", socket);
}

/** What is left of a header; undefined where it is only about the upgrade. */
function kept(name: string, value: string): string | undefined {
  if (name === "upgrade" || name === "http2-settings") return undefined;
  if (name !== "connection") return value;
  const options = value.split(",").map((option) => option.trim());
  return (
    options.filter((option) => !["upgrade", "http2-settings"].includes(option.toLowerCase())).join(", ") || undefined
  );
}
