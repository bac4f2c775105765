export { ConfigError, type ConfigProblem } from "./config-error.ts";
export { defineConfig, definePlugin } from "./define.ts";
export { loadEnvFiles } from "./env-files.ts";
export { findConfigFile, type LoadedConfig, loadConfigFile } from "./load.ts";
export { type ConfigFlags, type ResolveConfigOptions, resolveConfig } from "./resolve.ts";
export type {
  DuckConfig,
  DuckPlugin,
  HttpsSettings,
  LogLevel,
  LogSettings,
  ManagementSettings,
  PluginWorkerModule,
  RequestHandlingSettings,
  ResolvedConfig,
  ResolvedHttps,
  ResolvedPlugin,
  ServerSettings,
} from "./types.ts";
