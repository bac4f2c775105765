import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";

/**
 * Puts what the `.env` files of `root` say into `env`, without touching what is set there already. The nearer file wins:
 * `.env.<NODE_ENV>.local`, `.env.local` (not under test), `.env.<NODE_ENV>`, `.env`. Returns the files that were read.
 *
 * Called on main before the config file is imported and before any worker starts, so both see the values.
 */
export function loadEnvFiles(root: string, env: NodeJS.ProcessEnv = process.env): readonly string[] {
  const read: string[] = [];
  for (const name of namesFor(env.NODE_ENV)) {
    const file = join(root, name);
    const text = readIfThere(file);
    if (text === undefined) continue;
    read.push(file);
    for (const [key, value] of Object.entries(parseEnv(text))) {
      if (value !== undefined) env[key] ??= value;
    }
  }
  return read;
}

function namesFor(mode: string | undefined): string[] {
  const names: string[] = [];
  if (mode) names.push(`.env.${mode}.local`);
  // A test must not depend on what one developer keeps to themselves.
  if (mode !== "test") names.push(".env.local");
  if (mode) names.push(`.env.${mode}`);
  names.push(".env");
  return names;
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR" || code === "EISDIR") return undefined;
    throw error;
  }
}
