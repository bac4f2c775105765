/**
 * What plugins' hooks did to a request's headers. A hook that has found out who asks says so there, and the handler has to
 * see that, and not what the client sent under the same name.
 */
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";

/** Of these Node takes the first; other repeated ones it joins. */
const FIRST_COUNTS: ReadonlySet<string> = new Set([
  ...["age", "authorization", "content-length", "content-type", "etag", "expires", "from", "host", "if-modified-since"],
  ...[
    "if-unmodified-since",
    "last-modified",
    "location",
    "max-forwards",
    "proxy-authorization",
    "referer",
    "retry-after",
  ],
  ...["server", "user-agent"],
]);

/** Makes the request's lines say what hooks have set, changed or taken away in `headers`. */
export function takeHookedHeaders({ rawHeaders }: IncomingMessage, headers: IncomingHttpHeaders): void {
  const sent = joined(rawHeaders);
  const changed = new Map<string, string>();
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || name.startsWith(":")) continue;
    const now = Array.isArray(value) ? value.join(", ") : String(value);
    if (sent.get(name.toLowerCase()) !== now) changed.set(name.toLowerCase(), oneLine(now));
  }
  const stays = (name: string): boolean => !changed.has(name) && headers[name] !== undefined;
  if (changed.size === 0 && [...sent.keys()].every(stays)) return;
  const kept: string[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (name.startsWith(":") || stays(name.toLowerCase())) kept.push(name, rawHeaders[i + 1] as string);
  }
  rawHeaders.splice(0, rawHeaders.length, ...kept, ...[...changed].flat());
}

/** As Node joins them: by name in lower case. */
function joined(rawHeaders: readonly string[]): Map<string, string> {
  const sent = new Map<string, string>();
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] as string).toLowerCase();
    const value = rawHeaders[i + 1] as string;
    const before = sent.get(name);
    if (before === undefined) {
      if (!name.startsWith(":")) sent.set(name, value);
    } else if (!FIRST_COUNTS.has(name)) sent.set(name, `${before}${name === "cookie" ? "; " : ", "}${value}`);
  }
  return sent;
}

/** On the wire to the worker a line break ends a value. */
function oneLine(value: string): string {
  return value.replaceAll(/[\r\n]+/g, " ");
}
