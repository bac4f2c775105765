/** What differs in a request that came over HTTP/2. The engine never hears of it. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { constants, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";

/** Did it come over HTTP/2? Not to be read off its version: an HTTP/1.1 client may write any there. */
export function isHttp2(request: object): boolean {
  return (request as Partial<Http2ServerRequest>).stream !== undefined;
}

/** Its headers as HTTP/1.1 has them, `name\nvalue\n...`: `:authority` is `host`, the other pseudo-headers stand elsewhere. */
export function headerLinesOf(request: IncomingMessage): string {
  const { rawHeaders } = request;
  if (!isHttp2(request)) return rawHeaders.join("\n");
  const flat: string[] = [];
  let host: string | undefined;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (name === ":authority" || (name === "host" && host === undefined)) host = rawHeaders[i + 1];
    else if (!name.startsWith(":") && name !== "host") flat.push(name, rawHeaders[i + 1] as string);
  }
  if (host !== undefined) flat.unshift("host", host);
  return flat.join("\n");
}

/** Has it a body of which no length is stated? */
export function hasUnstatedBody(request: IncomingMessage): boolean {
  if (!isHttp2(request)) return request.headers["transfer-encoding"] !== undefined;
  if (request.headers["content-length"] !== undefined) return false;
  return !(request as unknown as Http2ServerRequest).stream.endAfterHeaders;
}

/** Calls back when nobody waits for the answer any more. HTTP/2 only: a connection carries many requests. */
export function onStreamClosed(request: IncomingMessage, closed: () => void): void {
  (request as unknown as Http2ServerRequest).stream.once("close", closed);
}

/** After this answer the client sends no more of its body: in HTTP/1.1 its connection ends, in HTTP/2 the stream. */
export function endAfterAnswer(request: IncomingMessage, response: ServerResponse): void {
  if (!isHttp2(request)) {
    response.shouldKeepAlive = false;
    return;
  }
  const { stream } = request as unknown as Http2ServerRequest;
  // Not the response's own event: that waits for the end of the request.
  stream.once("finish", () => stream.close(constants.NGHTTP2_NO_ERROR));
}

/** Breaks an answer off, so that it does not look complete; behind what has been written, which its client shall have. */
export function breakOff(response: ServerResponse, then: () => void = () => undefined): void {
  if (!isHttp2(response.req)) {
    // Nothing, which is no piece of the answer: it has left when all before it has, or when nobody takes it any more.
    response.write("", () => {
      response.destroy();
      then();
    });
    return;
  }
  // Here that would be the wrong way: where it is the last of several pieces Node takes them all for sent, their memory is
  // used again, and the client reads what stands there then.
  const stream = streamOf(response);
  const look = (): void => {
    if (!stream.destroyed && stream.writableLength > 0) {
      setTimeout(look, LOOK_AGAIN_MS);
      return;
    }
    stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    then();
  };
  look();
}

/** Until the next look whether what stands before the end has left. */
const LOOK_AGAIN_MS = 10;

/** Cuts a client that takes not one byte of its answer for so long; 0 lets it be. HTTP/2 only: else its socket tells. */
export function cutWhenStalled(response: ServerResponse, ms: number): void {
  if (!isHttp2(response.req)) return;
  const stream = streamOf(response);
  stream.removeAllListeners("timeout");
  stream.setTimeout(ms, () => stream.close(constants.NGHTTP2_CANCEL));
}

/** Gives a client so long to send the whole of its body. HTTP/2 only: in HTTP/1.1 Node sees to it. */
export function cutWhenSlow(request: IncomingMessage, ms: number, late: () => void): void {
  if (ms === 0 || !isHttp2(request)) return;
  const timer = setTimeout(late, ms);
  const over = (): void => clearTimeout(timer);
  request.once("end", over);
  request.once("close", over);
}

function streamOf(response: ServerResponse): Http2ServerResponse["stream"] {
  return (response as unknown as Http2ServerResponse).stream;
}
