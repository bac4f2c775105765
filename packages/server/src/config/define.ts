import type { DuckConfig, DuckPlugin } from "./types.ts";

/**
 * Types the default export of `duck.config.ts`; a misspelt setting is a type error. It changes nothing at run time:
 * values are checked when the configuration is resolved.
 *
 * @example
 * ```ts check
 * import { defineConfig } from "@duck-ts/server";
 *
 * export default defineConfig({
 *   app: "./src/app.ts",
 *   server: { port: 8000 },
 *   requestHandling: { maxWorkers: 4, timeoutMs: 10_000 },
 * });
 * ```
 */
export function defineConfig(config: DuckConfig): DuckConfig {
  return config;
}

/**
 * Types a plugin: `server` runs once on main with the Fastify instance, `worker` names a module whose `onWorkerStart`
 * and `onWorkerStop` run in every request thread.
 *
 * @example
 * ```ts check
 * import { definePlugin } from "@duck-ts/server";
 *
 * export const served = definePlugin({
 *   name: "served-by",
 *   server(fastify) {
 *     fastify.addHook("onSend", async (_request, reply) => void reply.header("x-served-by", "duck-ts"));
 *   },
 * });
 * ```
 */
export function definePlugin(plugin: DuckPlugin): DuckPlugin {
  return plugin;
}
