export { ConfigError } from "./config-error.ts";
export { loadEnvFiles } from "./env-files.ts";
export { findConfigFile, loadConfigFile } from "./load.ts";
export { resolveConfig } from "./resolve.ts";
export type { DuckConfig, ResolvedConfig } from "./types.ts";
