import module from "node:module";

/** What `module.registerHooks` and `module.register` take alike. */
type LoadHook = (
  url: string,
  context: object,
  nextLoad: (url: string, context?: Partial<object>) => unknown,
) => unknown;

// Kept as text, since Node 20 runs it in a thread of its own, where nothing of this module exists.
const load = `
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
function isModule(url) {
  if (!/^file:.*\\.tsx?(?:\\?|$)/.test(url)) return false;
  const source = readFileSync(fileURLToPath(url), "utf8");
  return /^\\s*(?:import\\b(?!\\s+\\w+\\s*=\\s*require)|export\\b(?!\\s*=))/m.test(source);
}
export function load(url, context, nextLoad) {
  const changed = context.format !== "module" && isModule(url);
  return nextLoad(url, changed ? { ...context, format: "module" } : context);
}`;

// On Node 20, tsx gives a file that it takes for CommonJS a query, and goes by that later on.
const resolve = `
export async function resolve(specifier, context, nextResolve) {
  const found = await nextResolve(specifier, context);
  if (!found.url.includes("tsx-commonjs-")) return found;
  const url = found.url.replace(/(?:%3[Ff][^?]*)?\\?/, "?").replace(/[?&]tsx-commonjs-[^&]*/g, "");
  return isModule(url) ? { ...found, url, format: "module" } : found;
}`;

/**
 * To tsx, a .ts file in a package without `"type": "module"` is CommonJS: it may not await at its top level, and on
 * Node 20 its `import` of an ES module fails. To vitest, and to Node where it runs TypeScript by itself, a file that
 * says import or export is a module. This makes it one to tsx too; call it after tsx has been registered.
 */
export async function treatTypeScriptAsModules(): Promise<void> {
  const { registerHooks } = module as { registerHooks?: (hooks: { load: LoadHook }) => unknown };
  if (registerHooks === undefined) module.register(dataUrl(load + resolve));
  else registerHooks((await import(/* @vite-ignore */ /* webpackIgnore: true */ dataUrl(load))) as { load: LoadHook });
}

function dataUrl(source: string): string {
  return `data:text/javascript,${encodeURIComponent(source)}`;
}
