/** Collects a request's body, up to a limit. */
import type { IncomingMessage } from "node:http";

/** What collecting came to; `too-large` leaves the rest unread. */
export type Collected = Uint8Array | "too-large" | "broken-off";

/** From here on bodies are in memory that threads share, so that main neither copies them nor gives them away: what one thread did not begin, another one gets. */
const SHARED_BYTES = 64 * 1024;

/** Calls back once, when the body is complete or never will be. The bytes have their memory to themselves. */
export function collectBody(request: IncomingMessage, limitBytes: number, done: (body: Collected) => void): void {
  const chunks: Buffer[] = [];
  let size = 0;
  let over = false;
  const finish = (body: Collected): void => {
    if (over) return;
    over = true;
    done(body);
  };
  request.on("data", (chunk: Buffer) => {
    if (over) return;
    size += chunk.byteLength;
    if (size > limitBytes) {
      chunks.length = 0;
      finish("too-large");
      return;
    }
    chunks.push(chunk);
  });
  request.on("end", () => {
    const body = size < SHARED_BYTES ? new Uint8Array(size) : new Uint8Array(new SharedArrayBuffer(size));
    let at = 0;
    for (const chunk of chunks) {
      body.set(chunk, at);
      at += chunk.byteLength;
    }
    finish(body);
  });
  request.on("close", () => finish("broken-off"));
  request.on("error", () => finish("broken-off"));
}
