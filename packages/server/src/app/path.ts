/**
 * Paths of routes: `/users/:id`, `/files/:name?`, `/posts/:id(\\d+)`, `/assets/*`. What names a path has is known to the
 * type system too, so a handler's `params` need no annotation.
 */
import { AppDefinitionError } from "../errors.ts";
import { described } from "./described.ts";

/** One object of two; what is optional in one of them stays so. */
type Join<A, B> = { [K in keyof (A & B)]: (A & B)[K] };
type Optional<N extends string> = { [K in N]?: string };
type Required<N extends string> = { [K in N]: string };

type Named<S extends string> = S extends `${infer N}(${string})?`
  ? Optional<N>
  : S extends `${infer N}(${string})`
    ? Required<N>
    : S extends `${infer N}?`
      ? Optional<N>
      : Required<S>;
type OfSegment<S extends string> = S extends `:${infer Rest}` ? Named<Rest> : S extends "*" ? { "*": string } : unknown;

/** The parameters in a path literal: `PathParams<"/a/:b/*">` is `{ b: string; "*": string }`. */
export type PathParams<P extends string> = string extends P
  ? Record<string, string>
  : unknown extends Collect<P>
    ? Record<never, string>
    : Collect<P>;
type Collect<P extends string> = P extends `${infer Head}/${infer Tail}`
  ? unknown extends OfSegment<Head>
    ? Collect<Tail>
    : unknown extends Collect<Tail>
      ? OfSegment<Head>
      : Join<OfSegment<Head>, Collect<Tail>>
  : OfSegment<P>;

/** One segment of a route's path, parsed. */
export type PathSegment =
  | { readonly kind: "static"; readonly text: string }
  | {
      readonly kind: "param";
      readonly name: string;
      readonly optional: boolean;
      readonly pattern: RegExp | undefined;
    }
  | { readonly kind: "rest" };

/**
 * Takes a route's path apart.
 * @throws {AppDefinitionError} when the path does not begin with `/`, names a parameter twice, has a pattern that is no
 * regular expression, or a `*` or an optional parameter that is not at its end.
 */
export function parsePath(path: string): readonly PathSegment[] {
  if (typeof path !== "string") {
    throw new AppDefinitionError(`Expected a path, text that begins with "/", got ${described(path)}.`);
  }
  const wrong = (why: string): AppDefinitionError => new AppDefinitionError(`The path "${path}" ${why}.`);
  if (path === "*") return [{ kind: "rest" }];
  if (!path.startsWith("/")) throw wrong(`must begin with "/"`);
  if (/[\s?#](?!$|\/)/.test(path.replace(/\([^)]*\)/g, ""))) throw wrong("must not hold blanks, a query or a fragment");
  const names = new Set<string>();
  const parts = path.slice(1).split("/");
  return parts.map((part, index): PathSegment => {
    const last = index === parts.length - 1;
    if (part === "*") {
      if (!last) throw wrong(`has a "*" that is not its last segment`);
      return { kind: "rest" };
    }
    if (!part.startsWith(":")) {
      if (part.includes("*")) throw wrong(`has a "*" beside other text; a "*" is a segment of its own`);
      return { kind: "static", text: part };
    }
    const match = /^:([A-Za-z_$][\w$-]*)(?:\((.+)\))?(\?)?$/.exec(part);
    if (match === null) throw wrong(`has a parameter "${part}" that is not of the form :name, :name? or :name(regex)`);
    const [, name = "", pattern, optional] = match;
    if (names.has(name)) throw wrong(`names the parameter "${name}" twice`);
    names.add(name);
    if (optional !== undefined && !last)
      throw wrong(`has an optional parameter "${part}" that is not its last segment`);
    try {
      const whole = pattern === undefined ? undefined : new RegExp(`^(?:${pattern})$`);
      return { kind: "param", name, optional: optional !== undefined, pattern: whole };
    } catch (error) {
      throw wrong(`has a parameter "${part}" whose pattern is no regular expression (${(error as Error).message})`);
    }
  });
}

/** A path without the names of its parameters: two routes of one method and shape take the same requests. */
export function pathShape(segments: readonly PathSegment[]): string {
  return segments
    .map((segment) => {
      if (segment.kind === "rest") return "*";
      if (segment.kind === "static") return segment.text;
      const pattern = segment.pattern === undefined ? "" : `(${segment.pattern.source})`;
      return `:${pattern}${segment.optional ? "?" : ""}`;
    })
    .join("/");
}

/** Decodes one percent-encoded segment; `undefined` when it is malformed. */
export function decodeSegment(raw: string): string | undefined {
  if (!raw.includes("%")) return raw;
  try {
    return decodeURIComponent(raw);
  } catch {
    return undefined;
  }
}

/** The path of a request target, without query: `/a?b` and `http://host/a?b` are `/a`. */
export function pathOf(url: string): string {
  const start = url.charCodeAt(0) === 47 ? 0 : pathStart(url);
  const query = url.indexOf("?", start);
  const path = query === -1 ? (start === 0 ? url : url.slice(start)) : url.slice(start, query);
  return path === "" ? "/" : path;
}

function pathStart(url: string): number {
  const scheme = url.indexOf("://");
  if (scheme === -1) return 0;
  const slash = url.indexOf("/", scheme + 3);
  if (slash !== -1) return slash;
  const query = url.indexOf("?", scheme + 3);
  return query === -1 ? url.length : query;
}

/** The parameters of a request whose path is known to match `segments`. */
export function extractParams(segments: readonly PathSegment[], url: string): Record<string, string> {
  const params: Record<string, string> = Object.create(null);
  const path = pathOf(url);
  let at = 1;
  for (const segment of segments) {
    if (segment.kind === "rest") {
      params["*"] = decodeSegment(path.slice(at)) ?? path.slice(at);
      break;
    }
    const slash = path.indexOf("/", at);
    const end = slash === -1 ? path.length : slash;
    if (segment.kind === "param" && end > at) {
      const raw = path.slice(at, end);
      params[segment.name] = decodeSegment(raw) ?? raw;
    }
    at = end + 1;
  }
  return params;
}
