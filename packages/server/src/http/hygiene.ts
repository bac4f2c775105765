/** What Node's parser lets through and RFC 9112 does not. */
import { type IncomingMessage, STATUS_CODES } from "node:http";
import { isHttp2 } from "./http2-request.ts";

/** A host and a port as they stand in a URL, or nothing. RFC 9110 7.2. */
const HOST = /^(?:\[[\w:.%]+\]|[\w.~!$&'()*+,;=%-]*)(?::\d*)?$/;

/**
 * llhttp 8, which Node 20.19.0 and 20.19.1 have, takes header names that hold a blank or nothing at all, and does not say
 * that something follows a `Connection: close`.
 */
export const LENIENT_PARSER: boolean = Number.parseInt(process.versions.llhttp ?? "", 10) < 9;

const isHost = (name: string): boolean =>
  name.length === 4 && (name === "Host" || name === "host" || name.toLowerCase() === "host");

/** Two Host headers, or one that is none: a request that two parties may read differently. RFC 9112 3.2. */
function whatOfHosts(rawHeaders: readonly string[]): string | undefined {
  let host: string | undefined;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (!isHost(rawHeaders[i] as string)) continue;
    if (host !== undefined) return "The request has two Host headers.";
    host = rawHeaders[i + 1] as string;
  }
  return host === undefined || HOST.test(host) ? undefined : "The Host header is no host.";
}

/** In HTTP/2 the host is in `:authority`; a Host header beside it has to say the same. RFC 9113 8.3.1. */
function hostsDiffer(rawHeaders: readonly string[]): boolean {
  let known: string | undefined;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i] !== ":authority" && rawHeaders[i] !== "host") continue;
    const host = rawHeaders[i + 1] as string;
    if (known !== undefined && known.toLowerCase() !== host.toLowerCase()) return true;
    known = host;
  }
  return false;
}

/** More headers than this are refused; Node by itself would silently leave some out. */
const MOST_HEADERS = 1000;

/** Why a request that the parser took is refused all the same: status and words; undefined for nearly all. */
export function whyRefused(
  request: Pick<IncomingMessage, "rawHeaders" | "headers" | "httpVersionMajor">,
): readonly [status: 400 | 431 | 501, detail: string] | undefined {
  const { rawHeaders } = request;
  if (isHttp2(request)) {
    if (hostsDiffer(rawHeaders)) return [400, "The request has a Host header that is not its :authority."];
  } else {
    const wrong = whatOfHosts(rawHeaders);
    if (wrong !== undefined) return [400, wrong];
    if (LENIENT_PARSER && rawHeaders.some((name, i) => i % 2 === 0 && (name === "" || name.includes(" "))))
      return [400, "A header's name is empty or holds a blank."];
    if (request.httpVersionMajor !== 1) return [400, "The request is not HTTP/1.0 or HTTP/1.1."];
    // Nobody would take the coding below off: the handler would be given it as its body. What does not end in chunked is
    // refused by the parser. RFC 9112 6.1.
    if (/,\s*chunked$/i.test(request.headers["transfer-encoding"] ?? "")) {
      return [501, "The body has a transfer coding other than chunked."];
    }
  }
  if (rawHeaders.length > 2 * MOST_HEADERS) return [431, `The request has more than ${MOST_HEADERS} headers.`];
  return undefined;
}

/** Chunks in HTTP/1.0, which has none: others may see its end elsewhere, so it is the last of its connection. RFC 9112 6.1. */
export function isLast(request: Pick<IncomingMessage, "httpVersion" | "headers">): boolean {
  return request.httpVersion === "1.0" && request.headers["transfer-encoding"] !== undefined;
}

/**
 * A target in absolute form, `http://host/path`, becomes one in origin form, and its host stands for what the Host header
 * says. RFC 9112 3.2.2.
 */
export function takeOriginForm(request: Pick<IncomingMessage, "url" | "rawHeaders" | "headers">): void {
  const { url = "/", rawHeaders } = request;
  if (url.charCodeAt(0) === 47) return;
  const match = /^https?:\/\/(?:[^/?#]*@)?([^/?#]*)/i.exec(url);
  if (match === null) return;
  const [start, host = ""] = match;
  const rest = url.slice(start.length);
  request.url = rest.startsWith("/") ? rest : `/${rest}`;
  const at = rawHeaders.findIndex((name, i) => i % 2 === 0 && isHost(name));
  if (at === -1) rawHeaders.push("Host", host);
  else rawHeaders[at + 1] = host;
  request.headers.host = host;
}

/** Bytes to answer what could not even be parsed; the connection ends. */
export function parserAnswer(code: string | undefined): string {
  switch (code) {
    case "HPE_HEADER_OVERFLOW":
      return errorAnswer(431);
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return errorAnswer(408);
    case "HPE_CHUNK_EXTENSIONS_OVERFLOW":
      return errorAnswer(413);
    default:
      return errorAnswer(400);
  }
}

/** A whole answer for a connection that has no response of Node's and ends with it. */
export function errorAnswer(status: number): string {
  const title = STATUS_CODES[status] ?? "";
  const body = JSON.stringify({ type: "about:blank", title, status });
  const date = new Date().toUTCString();
  return `HTTP/1.1 ${status} ${title}\r\ndate: ${date}\r\ncontent-type: application/problem+json; charset=utf-8\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`;
}
