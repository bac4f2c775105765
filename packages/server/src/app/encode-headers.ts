/** Header lines as they cross to main: `name\nvalue\nname\nvalue`. No name or value can hold a line break. */
import { InvalidReplyError } from "../errors.ts";
import type { ReplyHeaders } from "./reply.ts";

const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const BAD_VALUE = /[^\t\x20-\x7e\x80-\xff]/;
/** Framing is main's business. */
const FRAMING: ReadonlySet<string> = new Set(["transfer-encoding", "keep-alive", "upgrade", "trailer"]);

/** Header lines for the wire. @throws {InvalidReplyError} for a name or value that could split the answer. */
export function headerLines(headers: ReplyHeaders | undefined, cookies: readonly string[] = []): string | null {
  const flat: string[] = [];
  if (headers !== undefined && headers !== null) {
    if (typeof headers !== "object") throw new InvalidReplyError(`The headers of a reply() are a ${typeof headers}.`);
    if (headers instanceof Headers) headers.forEach((value, name) => void flat.push(name, value));
    // Pairs, and the Headers of other libraries too, of which Object.entries() sees nothing.
    else if (Symbol.iterator in headers)
      for (const [name, value] of headers as Iterable<[string, string]>) flat.push(name, value);
    else {
      for (const [name, value] of Object.entries(headers)) {
        if (value === undefined) continue;
        if (Array.isArray(value)) for (const one of value) flat.push(name, String(one));
        else flat.push(name, String(value));
      }
    }
  }
  for (const cookie of cookies) flat.push("set-cookie", cookie);
  return flatHeaderLines(flat);
}

/** The names in header lines; a value may look like one. */
export function namesIn(lines: string): readonly string[] {
  return lines.split("\n").filter((_, i) => i % 2 === 0);
}

/** The same, of names and values in turn. */
export function flatHeaderLines(flat: readonly string[]): string | null {
  if (flat.length === 0) return null;
  let out = "";
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const name = String(flat[i]).toLowerCase();
    const value = String(flat[i + 1]);
    if (!NAME.test(name))
      throw new InvalidReplyError(`A header is named ${JSON.stringify(name)}, which is not a token.`);
    if (BAD_VALUE.test(value)) {
      throw new InvalidReplyError(
        `The header ${name} has a value with a line break or another forbidden character: ${JSON.stringify(value)}.`,
      );
    }
    if (FRAMING.has(name)) continue;
    // Whoever believed a length that is none would find the next answer elsewhere; without one a stream goes in chunks.
    if (name === "content-length" && !/^\d+$/.test(value)) continue;
    out += out === "" ? `${name}\n${value}` : `\n${name}\n${value}`;
  }
  return out === "" ? null : out;
}

const [major = 0, minor = 0] = (process.versions["undici"] ?? "").split(".").map(Number);
/** What fetch() decodes by itself, of this Node. */
const DECODED: ReadonlySet<string> = new Set([
  "gzip",
  "x-gzip",
  "deflate",
  "br",
  ...(major > 7 || (major === 7 && minor >= 12) ? ["zstd"] : []),
]);

/** Header lines of what came by fetch(), without its coding and its coded length where fetch() has decoded the body. */
export function withoutDecoding(lines: string): string | null {
  const flat = lines.split("\n");
  const codings = flat.flatMap((name, i) =>
    i % 2 === 0 && name === "content-encoding" ? flat[i + 1]?.split(",") : [],
  );
  if (codings.length === 0 || !codings.every((coding) => DECODED.has(String(coding).trim().toLowerCase())))
    return lines;
  const kept = flat.filter((_, i) => !["content-encoding", "content-length"].includes(flat[i - (i % 2)] as string));
  return kept.length === 0 ? null : kept.join("\n");
}
