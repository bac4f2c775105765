/** Scripts that run in a process of their own. */
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { type BuildOptions, build } from "esbuild";

const root = fileURLToPath(new URL("../../../../../", import.meta.url));
let bundles = 0;

/** Bundles a script of the fixtures to where the packages are found as an app finds them; returns its path. */
export async function bundled(file: string, options: BuildOptions = {}): Promise<string> {
  bundles += 1;
  const folder = join(root, "node_modules/.cache/toolkit-tests", `${process.pid}-${bundles}`);
  mkdirSync(folder, { recursive: true });
  const outfile = join(folder, file.replace(/\.\w+$/, ".mjs"));
  await build({
    entryPoints: [fileURLToPath(new URL(`../fixtures/${file}`, import.meta.url))],
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20.19",
    logLevel: "error",
    outfile,
    ...options,
  });
  return outfile;
}

export type Ran = { readonly code: number | null; readonly stdout: string };

/** Runs a script of the fixtures, or one given by its path, to its end. Fails with its stderr where it says something. */
export function runScript(file: string, ...args: readonly string[]): Promise<Ran> {
  const path = file.startsWith("/") ? file : fileURLToPath(new URL(`../fixtures/${file}`, import.meta.url));
  return runNode([path, ...args], dirname(path));
}

/** Runs a TypeScript file as it is. The loader is found where the packages find theirs. */
export function runTypeScript(
  path: string,
  args: readonly string[] = [],
  { env, withinMs }: { readonly env?: NodeJS.ProcessEnv | undefined; readonly withinMs?: number } = {},
): Promise<Ran> {
  const packages = join(root, "packages/runtime/");
  const loader = import.meta.resolve("tsx", `file://${packages}src/index.ts`);
  return runNode(["--import", loader, path, ...args], packages, env, withinMs);
}

export function runNode(
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv = {},
  withinMs = 60_000,
): Promise<Ran> {
  const child = spawn(process.execPath, [...args], {
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  let killed = false;
  const killer = setTimeout(() => {
    killed = child.kill("SIGKILL");
  }, withinMs);
  return new Promise((resolve, reject) => {
    child.on("close", (code) => {
      clearTimeout(killer);
      if (killed)
        reject(new Error(`${args.join(" ")} had not ended after ${withinMs} ms. It had printed:\n${stdout}${stderr}`));
      else if (stderr !== "" && code !== 0) reject(new Error(`${args.join(" ")} ended with ${code}: ${stderr}`));
      else resolve({ code, stdout });
    });
  });
}
