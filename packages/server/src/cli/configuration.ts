import { dirname, resolve } from "node:path";
import { type DuckConfig, findConfigFile, loadConfigFile, loadEnvFiles } from "../config/index.ts";

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
 */
export async function findConfiguration(options: {
  cwd: string;
  file: string | undefined;
  env: NodeJS.ProcessEnv;
}): Promise<FoundConfiguration> {
  const { cwd, env } = options;
  const file = options.file === undefined ? findConfigFile(cwd) : resolve(cwd, options.file);
  const root = file === null ? cwd : dirname(file);
  const envFiles = loadEnvFiles(root, env);
  const loaded = await loadConfigFile({ cwd, file: options.file });
  return { config: loaded?.config ?? {}, root, file: loaded?.file ?? null, envFiles };
}
