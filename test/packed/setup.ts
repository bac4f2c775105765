/** Before each file of tests: the packages under test are the installed ones, or nothing here means anything. */
import { realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const home = realpathSync(fileURLToPath(new URL("../..", import.meta.url)));

for (const name of ["runtime", "managers", "server"]) {
  const expected = join(home, "node_modules/@duck-ts", name, "dist/index.js");
  const asked = [import.meta.resolve(`@duck-ts/${name}`)];
  // And what a package finds when it asks for another one itself: no second copy, nor the workspace's.
  for (const other of ["managers", "server"]) {
    const from = join(home, "node_modules/@duck-ts", other, "dist/index.js");
    if (name === "runtime" || name === other || (name === "managers" && other === "server")) {
      asked.push(createRequire(from).resolve(`@duck-ts/${name}`));
    }
  }
  for (const place of asked) {
    const path = place.startsWith("file:") ? fileURLToPath(place) : place;
    // A link would lead out of this folder.
    if (path !== expected || realpathSync(path) !== expected || realpathSync(dirname(path)) !== dirname(expected)) {
      throw new Error(`These tests are for @duck-ts/${name} at ${expected}, and found it at ${realpathSync(path)}`);
    }
  }
}
