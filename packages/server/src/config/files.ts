import { existsSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describeValue } from "./problems.ts";

/** Where an app is looked for when the config names none. */
const appCandidates = ["src/app", "app"].flatMap((stem) =>
  ["ts", "tsx", "mts", "cts", "js", "jsx", "mjs", "cjs"].map((end) => `${stem}.${end}`),
);

/** The absolute path of the app's module; an empty string after a report. */
export function findAppModule(
  root: string,
  app: string | URL | undefined,
  report: (path: string, found: string, expected: string) => void,
): string {
  if (app !== undefined) return findModule(root, app, (found) => report("app", found, "the file of the app's module"));
  const found = appCandidates.map((candidate) => join(root, candidate)).find(isFile);
  if (found === undefined) {
    report(
      "app",
      "nothing",
      `the file of the app's module, since there is no src/app.ts or app.ts in ${root}. Write one of these, or name another in duck.config.ts: export default { app: "./src/main.ts" }`,
    );
    return "";
  }
  return found;
}

/** The absolute path of a module named by a path, a `file:` URL or, where no such file is, a package's specifier. */
export function findModule(root: string, module: string | URL, report: (found: string) => void): string {
  const path = pathOf(root, module);
  if (path === undefined) {
    report(`${describeValue(String(module))}, which is no file: URL`);
    return "";
  }
  if (isFile(path)) return path;
  if (typeof module === "string" && !/^(\.|\/|file:)/.test(module)) {
    try {
      return createRequire(join(root, "duck.config.js")).resolve(module);
    } catch {
      // Not a package's either: reported as the file that it more likely is.
    }
  }
  report(
    `${describeValue(typeof module === "string" ? module : module.href)}, and ${existsSync(path) ? "that is no file" : "no such file"}: ${path}`,
  );
  return "";
}

/** PEM text and bytes as they are, a file's content otherwise. */
export function readPem(
  root: string,
  value: string | Uint8Array,
  report: (found: string) => void,
): string | Uint8Array {
  if (typeof value !== "string" || value.trimStart().startsWith("-----BEGIN")) return value;
  const path = pathOf(root, value) ?? value;
  try {
    return readFileSync(path);
  } catch (error) {
    report(`the file ${path}, which cannot be read (${(error as NodeJS.ErrnoException).code ?? "unknown"})`);
    return "";
  }
}

function pathOf(root: string, path: string | URL): string | undefined {
  const text = String(path);
  if (typeof path === "string" && !text.startsWith("file:")) return resolve(root, text);
  try {
    return fileURLToPath(text);
  } catch {
    return undefined;
  }
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}
