/** What a handler can return beside plain data: a reply with a status and headers, and marked-up text. */
import { described } from "./described.ts";

const REPLY: symbol = Symbol.for("duck-ts.reply");
const HTML: symbol = Symbol.for("duck-ts.html");

/** One value, or several that stay separate lines (`set-cookie`). */
export type HeaderValue = string | number | readonly string[];
/** Headers of an answer, as an object, pairs, or a web `Headers`. */
export type ReplyHeaders =
  | Readonly<Record<string, HeaderValue | undefined>>
  | readonly (readonly [string, string])[]
  | Headers;

/** How a cookie is to be kept; RFC 6265. */
export interface CookieOptions {
  readonly domain?: string | undefined;
  readonly path?: string | undefined;
  readonly expires?: Date | undefined;
  /** Seconds. */
  readonly maxAgeSeconds?: number | undefined;
  readonly httpOnly?: boolean | undefined;
  readonly secure?: boolean | undefined;
  readonly sameSite?: "strict" | "lax" | "none" | undefined;
  readonly partitioned?: boolean | undefined;
}

/** An answer with its status and headers; made by `reply()`, never by hand. */
export class Reply<T = unknown, S extends number = number> {
  readonly status: S;
  readonly body: T;
  readonly headers: ReplyHeaders | undefined;
  readonly #cookies: string[] = [];

  constructor(status: S, body: T, headers?: ReplyHeaders) {
    this.status = status;
    this.body = body;
    this.headers = headers;
    Object.defineProperty(this, REPLY, { value: true });
  }

  /** Adds a `Set-Cookie` line. @throws {TypeError} when the name or an attribute cannot be written in one. */
  cookie(name: string, value: string, options: CookieOptions = {}): this {
    this.#cookies.push(serializeCookie(name, value, options));
    return this;
  }
  /** The `Set-Cookie` lines added so far. */
  get cookies(): readonly string[] {
    return this.#cookies;
  }
}

/**
 * Answers with `status`, `body` and `headers`. The body is anything a handler may return.
 *
 * @example
 * ```ts run
 * import { reply } from "@duck-ts/server";
 *
 * const created = reply(201, { id: 7 }, { location: "/users/7" }).cookie("last", "7", { httpOnly: true });
 * console.log(created.status);
 * ```
 */
export function reply<T = undefined, const S extends number = number>(
  status: S,
  body?: T,
  headers?: ReplyHeaders,
): Reply<T, S> {
  return new Reply(status, body as T, headers);
}

type RedirectStatus = 301 | 302 | 303 | 307 | 308;

/** Answers with a redirect, 302 unless `status` says 301, 303, 307 or 308. */
export function redirect(location: string | URL, status: RedirectStatus = 302): Reply<null, RedirectStatus> {
  return new Reply(status, null, { location: encodeLocation(String(location)) });
}

/** Text that is sent as `text/html; charset=utf-8`. */
export interface Html {
  readonly html: string;
}

/**
 * Marks a string as HTML. Nothing is escaped.
 * @throws {TypeError} for what is no string; a String object, as some libraries mark safe markup with, is one.
 */
export function html(text: string): Html {
  const given: unknown = text;
  if (typeof given !== "string" && !(given instanceof String)) {
    throw new TypeError(`html: expected a string, got ${described(given)}.`);
  }
  const marked = { html: String(given) };
  Object.defineProperty(marked, HTML, { value: true });
  return marked;
}

/** Is `value` a Reply, of this or another copy of the package? */
export function isReply(value: object): value is Reply {
  return (value as Record<symbol, unknown>)[REPLY] === true;
}
/** Is `value` marked by `html()`, of this or another copy of the package? */
export function isHtml(value: object): value is Html {
  return (value as Record<symbol, unknown>)[HTML] === true;
}

const COOKIE_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are exactly what must not get in
const COOKIE_ATTRIBUTE = /^[^;\u0000-\u001f\u007f]*$/;

function serializeCookie(name: string, value: string, options: CookieOptions): string {
  if (!COOKIE_NAME.test(name)) throw new TypeError(`Cookie names are RFC 6265 tokens; got ${JSON.stringify(name)}.`);
  let line = `${name}=${encodeURIComponent(value)}`;
  const add = (attribute: string, text: string): void => {
    if (!COOKIE_ATTRIBUTE.test(text)) throw new TypeError(`Cookie "${name}": ${attribute} has a forbidden character.`);
    line += `; ${attribute}=${text}`;
  };
  if (options.maxAgeSeconds !== undefined) {
    if (!Number.isInteger(options.maxAgeSeconds)) throw new TypeError(`Cookie "${name}": maxAgeSeconds must be whole.`);
    add("Max-Age", String(options.maxAgeSeconds));
  }
  if (options.domain !== undefined) add("Domain", options.domain);
  if (options.path !== undefined) add("Path", options.path);
  if (options.expires !== undefined) add("Expires", options.expires.toUTCString());
  if (options.sameSite !== undefined)
    add("SameSite", `${options.sameSite[0]?.toUpperCase()}${options.sameSite.slice(1)}`);
  if (options.httpOnly === true) line += "; HttpOnly";
  if (options.secure === true) line += "; Secure";
  if (options.partitioned === true) line += "; Partitioned";
  return line;
}

/** Leaves what is percent-encoded alone and encodes what may not stand in a header. */
function encodeLocation(location: string): string {
  return location.replace(/[^\x21-\x7e]+/g, (text) => encodeURIComponent(text));
}
