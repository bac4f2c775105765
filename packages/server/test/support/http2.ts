/** Talks HTTP/2 to a server of a test. */
import { readFileSync } from "node:fs";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, type OutgoingHttpHeaders } from "node:http2";
import { onTestFinished } from "vitest";

const pem = (name: string): string => readFileSync(new URL(`../fixtures/tls/${name}.pem`, import.meta.url), "utf8");

/** The test certificate; see fixtures/tls/README.md. */
export const certificate: { readonly key: string; readonly cert: string } = { key: pem("key"), cert: pem("cert") };
export const lockedKey: string = pem("locked-key");
export const otherKey: string = pem("other-key");

/** A session that ends with the test. */
export async function session(url: string): Promise<ClientHttp2Session> {
  const made = connect(url, { ca: certificate.cert });
  onTestFinished(() => made.destroy());
  made.on("error", () => undefined);
  await new Promise((resolve, reject) => made.once("connect", resolve).once("error", reject));
  return made;
}

export interface Http2Answer {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly body: string;
  /** RST_STREAM's code; 0 where the answer is complete. */
  readonly code: number;
}

/** Collects the answer of a stream, however it ends. */
export function answerOf(stream: ClientHttp2Stream): Promise<Http2Answer> {
  return new Promise((resolve) => {
    let headers: Record<string, unknown> = {};
    const chunks: Buffer[] = [];
    stream.on("response", (got) => {
      headers = got;
    });
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", () => undefined);
    stream.on("close", () => {
      const body = Buffer.concat(chunks).toString();
      resolve({ status: Number(headers[":status"]), headers, body, code: stream.rstCode });
    });
  });
}

/** Sends a request with a body that is there at once. */
export function ask(
  from: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  body?: string | Buffer,
): Promise<Http2Answer> {
  const stream = from.request(headers, { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  return answerOf(stream);
}
