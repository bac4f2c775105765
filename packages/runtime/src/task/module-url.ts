import { isAbsolute } from "node:path";
import { pathToFileURL } from "node:url";
import { TaskDeclarationError } from "../errors.ts";

/** Queries that a loader adds for itself; the module is the same one without them. */
const loaderQueries = /^(?:tsx-|namespace$)/;

/**
 * The url under which the file of a stack frame can be imported again, or undefined: code of `eval`, `data:`, the
 * REPL, `node --eval` and the like cannot be.
 */
export function frameUrl(file: string): string | undefined {
  if (file.endsWith("]") && /\[(?:eval\d*|stdin|worker eval)\]$/.test(file)) return undefined;
  if (file.startsWith("file:")) return file.includes("?") ? withoutLoaderQueries(file) : file;
  // Vite hands out plain paths, with queries of its own (?v=, ?t=) that mean nothing to Node.
  const path = (file.startsWith("/@fs/") ? file.slice("/@fs".length) : file).replace(/\?.*$/s, "");
  return isAbsolute(path) ? pathToFileURL(path).href : undefined;
}

function withoutLoaderQueries(file: string): string {
  const url = new URL(file);
  for (const key of [...url.searchParams.keys()]) {
    if (loaderQueries.test(key)) url.searchParams.delete(key);
  }
  return url.href;
}

/**
 * The url that a user gave, as `import()` takes it in any thread.
 *
 * @throws TaskDeclarationError where it is relative or a bare specifier: another thread would resolve it differently.
 */
export function givenUrl(url: string | URL, from: string): string {
  const given = String(url);
  if (isAbsolute(given)) return pathToFileURL(given).href;
  if (URL.canParse(given)) return new URL(given).href;
  throw new TaskDeclarationError(
    `${from} was given the url ${JSON.stringify(given)}; expected an absolute url or path, since another thread ` +
      `resolves it. Write new URL(${JSON.stringify(given)}, import.meta.url), or import.meta.resolve(${JSON.stringify(given)}) for a package.`,
  );
}
