/** A file as an answer: what a handler returns to have one sent. Reading it is `encode-file.ts`. */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";

const FILE: symbol = Symbol.for("duck-ts.file");

/** How a file is sent. */
export interface FileOptions {
  /**
   * The folder that `path` is below. Give it wherever a part of the path comes from the client: what leads out of it, or
   * has a name that begins with a dot, is a 404.
   */
  readonly root?: string | URL | undefined;
  /** The content type. Default: what the file's ending says. */
  readonly contentType?: string | undefined;
  /** How long the client may keep it, in seconds. Default 0: it asks each time, and gets a 304 while nothing changed. */
  readonly maxAgeSeconds?: number | undefined;
  /** It never changes under this name: within `maxAgeSeconds` the client does not ask at all. Default false. */
  readonly immutable?: boolean | undefined;
  /** To be saved and not shown: under its own name (`true`) or another one. Default false. */
  readonly download?: boolean | string | undefined;
  /** Whether names below `root` may begin with a dot. Default false. */
  readonly dotfiles?: boolean | undefined;
}

/** What `file()` returns: stands for the file's content, as the body of an answer. */
export interface FileBody {
  readonly path: string;
  readonly root: string | undefined;
  readonly options: FileOptions;
}

/**
 * Answers with a file, read piece by piece while it is sent: however large it is, memory holds a few pieces of it. Ranges
 * (`Range`, `If-Range`), conditions (`If-None-Match`, `If-Modified-Since` and the like), `ETag`, `Last-Modified` and
 * `HEAD` are taken care of. A file that is not there is a 404. `path` is relative to `root`, else to the current folder.
 *
 * @example
 * ```ts check
 * import { defineApp, file, get } from "@duck-ts/server";
 *
 * export default defineApp({
 *   routes: [
 *     get("/logo.svg", () => file("public/logo.svg", { maxAgeSeconds: 3600 })),
 *     get("/films/*", ({ params }) => file(params["*"], { root: "films" })),
 *   ],
 * });
 * ```
 * @throws {TypeError} when the path is no string or `file:` URL, or `maxAgeSeconds` no whole number.
 */
export function file(path: string | URL, options: FileOptions = {}): FileBody {
  const { maxAgeSeconds, root } = options;
  if (typeof path !== "string" && !(path instanceof URL)) {
    throw new TypeError(`file: expected a path or a file: URL, got ${path === null ? "null" : typeof path}.`);
  }
  if (maxAgeSeconds !== undefined && !(Number.isInteger(maxAgeSeconds) && maxAgeSeconds >= 0)) {
    throw new TypeError(`file: maxAgeSeconds must be a whole number, 0 or more, got ${String(maxAgeSeconds)}.`);
  }
  const body = {
    path: typeof path === "string" ? path : fileURLToPath(path),
    root: root === undefined ? undefined : typeof root === "string" ? resolve(root) : fileURLToPath(root),
    options,
  };
  Object.defineProperty(body, FILE, { value: true });
  return body;
}

/** Was `value` made by `file()`, of this or another copy of the package? */
export function isFile(value: object): value is FileBody {
  return (value as Record<symbol, unknown>)[FILE] === true;
}
