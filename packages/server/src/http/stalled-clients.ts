/**
 * On the server's way down nobody waits long for a client that has stopped: one that has sent half of its request's body
 * and then nothing more, or that takes nothing of its answer, would hold the shutdown until it is forced. What handlers
 * work on is not touched: of a body that stays away a handler hears only where it reads on.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { constants, type Http2ServerRequest, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import { isHttp2 } from "./http2-request.ts";

const UPLOAD: unique symbol = Symbol("duck.upload");

interface Upload {
  readonly request: IncomingMessage;
  readonly giveUp: () => void;
  isGivenUp: boolean;
}
interface KnownUpload {
  [UPLOAD]?: Upload | undefined;
}

/** The body of a request is coming in; `giveUp`: it will not be waited for any longer. */
export function expectBody(request: IncomingMessage, giveUp: () => void): void {
  const carrier = isHttp2(request) ? (request as unknown as Http2ServerRequest).stream : request;
  (carrier as KnownUpload)[UPLOAD] = { request, giveUp, isGivenUp: false };
}

export interface StalledOptions {
  /** So long a client may do nothing. */
  readonly ms: number;
  /** Connections of HTTP/1.1 whose last request has not come whole, with the answer that it will get. */
  uploads(): Iterable<readonly [Socket, ServerResponse]>;
  /** Of HTTP/2. */
  streams(): Iterable<ServerHttp2Stream>;
}

/** Looks after them until the function that it gives is called. */
export function endStalled(options: StalledOptions): () => void {
  const quiet = new Map<object, { moved: string; since: number }>();
  const onTimeout = function (this: ServerHttp2Stream): void {
    this.close(constants.NGHTTP2_CANCEL);
  };
  /** Whether nothing has come or gone on a connection for so long, while this request's body was wanted. */
  const isQuiet = (request: object, connection: { bytesRead: number; bytesWritten: number }): boolean => {
    const now = performance.now();
    const moved = `${connection.bytesRead} ${connection.bytesWritten}`;
    const before = quiet.get(request);
    if (before?.moved === moved) return now - before.since >= options.ms;
    quiet.set(request, { moved, since: now });
    return false;
  };
  const look = (): void => {
    for (const [socket, { req }] of options.uploads()) {
      if (!isWanted(req)) quiet.delete(req);
      else if (isQuiet(req, socket)) end(req, () => socket.destroy());
    }
    for (const stream of options.streams()) {
      const { socket } = stream.session ?? {};
      const request = (stream as KnownUpload)[UPLOAD]?.request;
      if (socket === undefined || !isWanted(request ?? stream) || request?.complete === true) quiet.delete(stream);
      else if (isQuiet(stream, socket)) end(stream, () => stream.close(constants.NGHTTP2_CANCEL));
      // Node's timer of a stream starts anew whenever some of what waits has left.
      const isWatched = stream.listeners("timeout").includes(onTimeout);
      if (stream.writableLength > 0 === isWatched) continue;
      if (isWatched) stream.off("timeout", onTimeout).setTimeout(0);
      else stream.on("timeout", onTimeout).setTimeout(options.ms);
    }
  };
  const timer = setInterval(look, Math.max(10, options.ms / 8));
  look();
  return () => clearInterval(timer);
}

/** Would more of it be taken now? Where a handler has not come to it, the client is not the one that is waited for. */
function isWanted(body: IncomingMessage | ServerHttp2Stream): boolean {
  return body.readableFlowing === true && body.readableLength === 0;
}

/** Once only: what its handler goes on to do is the handler's own. */
function end(carrier: object, cut: () => void): void {
  const upload = (carrier as KnownUpload)[UPLOAD];
  if (upload === undefined) cut();
  else if (!upload.isGivenUp) {
    upload.isGivenUp = true;
    upload.giveUp();
  }
}
