/** What Node's parser lets through and RFC 9112 does not. */
import { STATUS_CODES } from "node:http";
import { isHttp2 } from "./http2-request.ts";

/** Two Host headers: a request that two parties may read differently. RFC 9112 3.2. */
function hasTwoHosts(rawHeaders: readonly string[]): boolean {
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (name.length === 4 && (name === "Host" || name === "host" || name.toLowerCase() === "host")) hosts++;
  }
  return hosts > 1;
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
export function whyRefused(request: {
  readonly rawHeaders: readonly string[];
  readonly httpVersionMajor: number;
}): readonly [status: 400 | 431, detail: string] | undefined {
  const { rawHeaders } = request;
  if (isHttp2(request)) {
    if (hostsDiffer(rawHeaders)) return [400, "The request has a Host header that is not its :authority."];
  } else if (hasTwoHosts(rawHeaders)) return [400, "The request has two Host headers."];
  else if (request.httpVersionMajor !== 1) return [400, "The request is not HTTP/1.0 or HTTP/1.1."];
  if (rawHeaders.length > 2 * MOST_HEADERS) return [431, `The request has more than ${MOST_HEADERS} headers.`];
  return undefined;
}

/** `http://host/path` is `/path`; RFC 9112 3.2.2 has servers accept it. What is in origin form stays as it is. */
export function originForm(url: string): string {
  if (url.charCodeAt(0) === 47) return url;
  const match = /^https?:\/\/[^/?#]*/i.exec(url);
  if (match === null) return url;
  const rest = url.slice(match[0].length);
  return rest.startsWith("/") ? rest : `/${rest}`;
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
