/** Query strings and cookies, parsed when a handler asks for them. */

/** `a=1&b=2&b=3` is `{ a: "1", b: ["2", "3"] }`; without a prototype, so no name can reach one. */
export function parseQuery(url: string): Record<string, string | string[]> {
  const out: Record<string, string | string[]> = Object.create(null);
  const mark = url.indexOf("?");
  if (mark === -1 || mark === url.length - 1) return out;
  return parseForm(url.slice(mark + 1), out);
}

/** Form fields, as in a query string or an `application/x-www-form-urlencoded` body. */
export function parseForm(
  text: string,
  out: Record<string, string | string[]> = Object.create(null),
): Record<string, string | string[]> {
  for (const [name, value] of new URLSearchParams(text)) {
    const before = out[name];
    if (before === undefined) out[name] = value;
    else if (typeof before === "string") out[name] = [before, value];
    else before.push(value);
  }
  return out;
}

/** A `Cookie` header, RFC 6265: the first of a name counts, quotes go, percent-encoding is decoded where it is valid. */
export function parseCookies(header: string | undefined): Record<string, string> {
  const out: Record<string, string> = Object.create(null);
  if (header === undefined) return out;
  for (const part of header.split(";")) {
    const equals = part.indexOf("=");
    if (equals === -1) continue;
    const name = part.slice(0, equals).trim();
    if (name === "" || name in out) continue;
    let value = part.slice(equals + 1).trim();
    if (value.length > 1 && value.startsWith('"') && value.endsWith('"')) value = value.slice(1, -1);
    out[name] = decodeCookie(value);
  }
  return out;
}

function decodeCookie(value: string): string {
  if (!value.includes("%")) return value;
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
