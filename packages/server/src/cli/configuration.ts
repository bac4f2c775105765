import { dirname, resolve } from "node:path";
import { type DuckConfig, findConfigFile, loadConfigFile, loadEnvFiles } from "../config/index.ts";
import { inTime } from "./in-time.ts";
import type { CommandIo } from "./io.ts";

/** What a command works on. */
export interface FoundConfiguration {
  readonly config: DuckConfig;
  readonly root: string;
  readonly file: string | null;
  readonly envFiles: readonly string[];
}

/**
 * Reads the `.env` files, then the config file, which may use what they say.
 * @throws ConfigError
 * @throws StartTimeoutError where the config file's own top level never ends.
 */
export async function findConfiguration(
  options: Pick<CommandIo, "cwd" | "env" | "startDeadlineMs"> & { readonly file: string | undefined },
): Promise<FoundConfiguration> {
  const { cwd, env } = options;
  const file = options.file === undefined ? findConfigFile(cwd) : resolve(cwd, options.file);
  const root = file === null ? cwd : dirname(file);
  const envFiles = loadEnvFiles(root, env);
  const loaded = await inTime(
    loadConfigFile({ cwd, file: options.file }),
    options.startDeadlineMs,
    (waited) => `${file} was not imported after ${waited}: its top level has not finished.`,
  );
  // `export default null` is for resolveConfig to refuse.
  return { config: loaded === null ? {} : loaded.config, root, file: loaded?.file ?? null, envFiles };
}
