import { cpSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** A copy of one of the fixtures' apps that a test may change; call `remove` when it is done. */
export function appCopy(name: string): { readonly folder: string; remove(): void } {
  const home = realpathSync(fileURLToPath(new URL("../..", import.meta.url)));
  const folder = mkdtempSync(join(home, `app-${name}-`));
  cpSync(join(home, "test/packed/fixtures", name), folder, { recursive: true });
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
