// Where the command of a root dependency lies. Run with process.execPath, so that every tool runs on the Node that was
// started, whatever `node` the PATH holds.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("..", import.meta.url));

/** The script behind the command `command` of the package `name`, as it is installed in the folder `home`. */
export function tool(name, command = name, home = root) {
  const folder = join(home, "node_modules", name);
  const { bin } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  return join(folder, typeof bin === "string" ? bin : bin[command]);
}
