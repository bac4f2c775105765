import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { DuckError } from "@duck-ts/runtime";

/**
 * Where request threads begin. Beside index.ts, and not deeper: what is built for several entries lies at the top of
 * dist, so this is where a path relative to the file is the same before and after the build.
 *
 * @throws DuckError in a bundle, which has this module and not that of the threads: they would wait for it in vain.
 */
export function workerModule(): string {
  // Of a bundle in CommonJS format it is undefined.
  const here = import.meta.url as string | undefined;
  const url = here === undefined ? undefined : new URL("./engine/worker.js", here);
  if (url?.protocol === "file:" && existsSync(fileURLToPath(url))) return url.href;
  throw new DuckError(
    "DUCK_ENTRY_NOT_FOUND",
    `@duck-ts/server is part of a bundle (${here ?? "of CommonJS format"}), which lacks the file that its request threads begin with. ` +
      "Leave the packages out of it and install them where it runs (esbuild: --external:@duck-ts/*).",
  );
}
