/**
 * From method and path to a route: a map for paths without parameters, a tree of segments for the others. Static segments
 * come before parameters, parameters before `*`, whatever the order of declaration.
 */
import { decodeSegment, type PathSegment, parsePath, pathOf } from "../app/path.ts";

interface Node<T> {
  readonly statics: Map<string, Node<T>>;
  readonly params: { readonly pattern: RegExp | undefined; readonly node: Node<T> }[];
  rest: Map<string, T> | undefined;
  routes: Map<string, T> | undefined;
}

const node = <T>(): Node<T> => ({ statics: new Map(), params: [], rest: undefined, routes: undefined });

export class Router<T> {
  readonly #statics = new Map<string, Map<string, T>>();
  readonly #root: Node<T> = node();
  #dynamic = false;

  /** `method` `*` is any method; the first of two equal ones counts. */
  add(method: string, path: string, route: T): void {
    const segments = parsePath(path);
    if (segments.every((segment) => segment.kind === "static")) {
      put(this.#statics, path, method, route);
      return;
    }
    this.#dynamic = true;
    const last = segments.at(-1);
    if (last?.kind === "param" && last.optional) this.#insert(segments.slice(0, -1), method, route);
    this.#insert(segments, method, route);
  }

  /** The route for a request. HEAD is answered by GET where no route is for HEAD itself. */
  find(method: string, url: string): T | undefined {
    const path = pathOf(url);
    return this.#find(path, (methods) => pick(methods, method));
  }

  /** The methods that a path has; empty where it has no route at all. */
  allowed(url: string): string[] {
    const methods = new Set<string>();
    this.#find(pathOf(url), (found) => {
      for (const method of found.keys()) methods.add(method);
      return undefined;
    });
    if (methods.has("*")) return ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    if (methods.size === 0) return [];
    if (methods.has("GET")) methods.add("HEAD");
    methods.add("OPTIONS");
    return [...methods].sort();
  }

  #find(path: string, choose: (methods: Map<string, T>) => T | undefined): T | undefined {
    const exact = this.#statics.get(path);
    const found = exact === undefined ? undefined : choose(exact);
    if (found !== undefined) return found;
    const decoded = path.includes("%") ? decodePath(path) : undefined;
    if (decoded?.every((part) => !part.includes("/"))) {
      const same = this.#statics.get(decoded.join("/"));
      const route = same === undefined ? undefined : choose(same);
      if (route !== undefined) return route;
    }
    if (!this.#dynamic) return undefined;
    return descend(this.#root, decoded ?? path.split("/"), 1, choose);
  }

  #insert(segments: readonly PathSegment[], method: string, route: T): void {
    let at = this.#root;
    for (const segment of segments) {
      if (segment.kind === "rest") {
        at.rest ??= new Map();
        if (!at.rest.has(method)) at.rest.set(method, route);
        return;
      }
      if (segment.kind === "static") {
        let next = at.statics.get(segment.text);
        if (next === undefined) {
          next = node();
          at.statics.set(segment.text, next);
        }
        at = next;
        continue;
      }
      const source = segment.pattern?.source;
      let next = at.params.find((param) => param.pattern?.source === source)?.node;
      if (next === undefined) {
        next = node();
        at.params.push({ pattern: segment.pattern, node: next });
        // Those with a pattern are more specific.
        at.params.sort((a, b) => Number(a.pattern === undefined) - Number(b.pattern === undefined));
      }
      at = next;
    }
    at.routes ??= new Map();
    if (!at.routes.has(method)) at.routes.set(method, route);
  }
}

function put<T>(map: Map<string, Map<string, T>>, path: string, method: string, route: T): void {
  let methods = map.get(path);
  if (methods === undefined) {
    methods = new Map();
    map.set(path, methods);
  }
  if (!methods.has(method)) methods.set(method, route);
}

function pick<T>(methods: Map<string, T>, method: string): T | undefined {
  const found = methods.get(method);
  if (found !== undefined) return found;
  return (method === "HEAD" ? methods.get("GET") : undefined) ?? methods.get("*");
}

function descend<T>(
  at: Node<T>,
  parts: readonly string[],
  index: number,
  choose: (methods: Map<string, T>) => T | undefined,
): T | undefined {
  if (index === parts.length) return at.routes === undefined ? undefined : choose(at.routes);
  const part = parts[index] ?? "";
  const fixed = at.statics.get(part);
  if (fixed !== undefined) {
    const found = descend(fixed, parts, index + 1, choose);
    if (found !== undefined) return found;
  }
  if (part !== "") {
    for (const { pattern, node } of at.params) {
      if (pattern !== undefined && !pattern.test(part)) continue;
      const found = descend(node, parts, index + 1, choose);
      if (found !== undefined) return found;
    }
  }
  return at.rest === undefined ? undefined : choose(at.rest);
}

/** Segment by segment, so that an encoded slash stays inside its segment; what is malformed stays as it is. */
function decodePath(path: string): string[] {
  return path.split("/").map((part) => decodeSegment(part) ?? part);
}
