/** From `file()` to an answer: ranges and conditions as RFC 9110 13 and 14 have them. The `send` library judges them. */
import { basename, dirname, resolve } from "node:path";
import type { Readable } from "node:stream";
import { HttpError } from "../errors.ts";
import type { FileBody } from "./file.ts";

/** Of a request, what decides how a file is sent. */
export interface FileRequest {
  readonly method: string;
  rawHeaders(): Readonly<Record<string, string>>;
}

export interface EncodedFile {
  readonly status: number;
  /** Names and values in turn. */
  readonly headers: readonly string[];
  readonly content: Readable | null;
}

/**
 * @param status of the `reply()` around it: with another one than 200 the file is a page of its own, whole, whatever part
 * or version of what was asked for the client has.
 * @throws {HttpError} 404 where it is not there, 412 and 416 where the client's conditions or ranges say so.
 */
export async function encodeFile(body: FileBody, status: number, request: FileRequest): Promise<EncodedFile> {
  const { options } = body;
  const path = resolve(body.path);
  // Loaded with the first file that is sent: request threads are to start quickly.
  const { send } = await import("@fastify/send");
  const { method } = request;
  const asked = status === 200 && (method === "GET" || method === "HEAD");
  const headers: Record<string, string> = asked ? { ...request.rawHeaders() } : {};
  // It takes paths as they stand in URLs.
  const name = encodeURIComponent(body.root === undefined ? basename(path) : body.path);
  const sent = await send({ method, headers } as never, name, {
    root: body.root ?? dirname(path),
    index: false,
    dotfiles: body.root === undefined || options.dotfiles === true ? "allow" : "ignore",
    maxAge: (options.maxAgeSeconds ?? 0) * 1000,
    immutable: options.immutable ?? false,
    contentType: options.contentType === undefined,
    acceptRanges: status === 200,
    onFile: (_path, { size }) => wholeSuffix(headers, size),
  });
  if (sent.type !== "file") {
    sent.stream.destroy();
    throw errorOf(sent.type === "error" ? sent.statusCode : 404, sent);
  }
  const flat = Object.entries(sent.headers).flatMap(([key, value]) => [key.toLowerCase(), String(value)]);
  if (options.contentType !== undefined && sent.statusCode !== 304) flat.push("content-type", options.contentType);
  if (options.download !== undefined && options.download !== false) {
    flat.push("content-disposition", attachment(options.download === true ? basename(path) : options.download));
  }
  const empty = sent.statusCode === 304 || method === "HEAD";
  if (empty) sent.stream.destroy();
  return { status: status === 200 ? sent.statusCode : status, headers: flat, content: empty ? null : sent.stream };
}

/** The last 20 bytes of 10 are all 10 of them, RFC 9110 14.1.2; the library would refuse. */
function wholeSuffix(headers: Record<string, string>, size: number): void {
  const suffix = /^\s*bytes=\s*-(\d+)\s*$/.exec(headers["range"] ?? "");
  if (suffix !== null && size > 0 && Number(suffix[1]) > size) headers["range"] = "bytes=0-";
}

function errorOf(status: number, sent: { readonly headers: Record<string, string>; readonly metadata: object }): Error {
  switch (status) {
    case 412:
      return new HttpError(412, "The file is not, or no more, as the request's conditions have it.");
    case 416: {
      const range = sent.headers["Content-Range"] ?? "bytes */*";
      return new HttpError(416, "The file has no such part.", undefined, { headers: { "content-range": range } });
    }
    case 400:
    case 403:
    case 404:
      // Which of them it was, what leads out of the folder included, is not the client's business.
      return new HttpError(404, "There is no such file.");
    default:
      return (sent.metadata as { error?: Error }).error ?? new Error("The file cannot be read.");
  }
}

/** RFC 6266: a name in ASCII for everybody, and the right one beside it. */
function attachment(name: string): string {
  const ascii = name.replace(/[^\x20-\x7e]|["\\%]/g, "_");
  if (ascii === name) return `attachment; filename="${name}"`;
  const encoded = encodeURIComponent(name).replace(
    /['()*]/g,
    (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encoded}`;
}
