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
    else if (Array.isArray(headers)) for (const [name, value] of headers as [string, string][]) flat.push(name, value);
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
