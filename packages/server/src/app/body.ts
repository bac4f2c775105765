/** Request bodies, parsed by their content type when a handler asks for them. */
import { HttpError } from "../errors.ts";
import { parseForm } from "./query.ts";

/** What a content type means for the parser. */
export type BodyKind = "json" | "form" | "text" | "bytes";

/** The kind of body a `Content-Type` announces. */
export function bodyKindOf(contentType: string | undefined): BodyKind {
  if (contentType === undefined) return "bytes";
  const semicolon = contentType.indexOf(";");
  const type = (semicolon === -1 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase();
  if (type === "application/json" || type.endsWith("+json")) return "json";
  if (type === "application/x-www-form-urlencoded") return "form";
  if (type.startsWith("text/")) return "text";
  return "bytes";
}

/**
 * The parsed body: what JSON says, the fields of a form, a string for text, else the bytes; `undefined` where none came.
 * @throws {HttpError} 400 for malformed JSON, 415 for text in a charset this cannot read, or compressed.
 */
export function parseBody(bytes: Uint8Array | undefined, contentType: string | undefined, coding?: string): unknown {
  if (bytes === undefined) return undefined;
  const kind = bodyKindOf(contentType);
  if (coding !== undefined && kind !== "bytes" && !/^\s*(?:identity\s*)?$/i.test(coding)) {
    // RFC 9110 15.5.16: what would have been taken is said in Accept-Encoding.
    const headers = { "accept-encoding": "identity" };
    throw new HttpError(415, `The body has the coding ${coding}; expected none.`, undefined, { headers });
  }
  switch (kind) {
    case "json":
      return bytes.byteLength === 0 ? undefined : parseJson(decodeText(bytes, contentType));
    case "form":
      return parseForm(decodeText(bytes, contentType));
    case "text":
      return decodeText(bytes, contentType);
    case "bytes":
      return bytes.byteLength === 0 ? undefined : bytes;
  }
}

function parseJson(text: string): unknown {
  // A member "__proto__" is only ever an attack on whoever merges the object later; escapes can spell it too.
  const suspicious = text.includes("__proto__") || text.includes("\\u005");
  try {
    return suspicious ? JSON.parse(text, refuseProto) : JSON.parse(text);
  } catch (error) {
    if (HttpError.is(error)) throw error;
    throw new HttpError(400, `The body is not valid JSON: ${(error as Error).message}`);
  }
}

function refuseProto(key: string, value: unknown): unknown {
  if (key === "__proto__") throw new HttpError(400, `The body has a member "__proto__", which is refused.`);
  return value;
}

function decodeText(bytes: Uint8Array, contentType: string | undefined): string {
  const charset = /;\s*charset\s*=\s*"?([^\s";]+)/i.exec(contentType ?? "")?.[1]?.toLowerCase() ?? "utf-8";
  if (charset === "utf-8" || charset === "utf8" || charset === "us-ascii") {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
    return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  }
  try {
    return new TextDecoder(charset).decode(bytes);
  } catch {
    throw new HttpError(415, `The charset "${charset}" is not supported; send UTF-8.`);
  }
}
