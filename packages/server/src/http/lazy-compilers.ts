/**
 * Fastify's own schema compilers, loaded at the first route that has a JSON schema: they are a fifth of the time that
 * loading Fastify takes, and the app's routes, whose schemas are zod's, never need them.
 */
import { createRequire } from "node:module";

type Build = (...args: unknown[]) => unknown;

/** For the option `schemaController.compilersFactory`. */
export function lazyCompilers(): { readonly buildValidator: Build; readonly buildSerializer: Build } {
  return {
    buildValidator: lazy("@fastify/ajv-compiler"),
    buildSerializer: lazy("@fastify/fast-json-stringify-compiler"),
  };
}

/**
 * Fastify leaves schemas of headers alone where the compilers are somebody else's (Joi's, say). These are its own: it
 * shall treat them so. Where a later version keeps this elsewhere, names of headers in schemas have to be lower-case.
 */
export function asFastifysOwn(fastify: object): void {
  const symbol = Object.getOwnPropertySymbols(fastify).find(
    ({ description }) => description === "fastify.schemaController",
  );
  if (symbol === undefined) return;
  const controller = (
    fastify as Record<symbol, { isCustomValidatorCompiler?: boolean; isCustomSerializerCompiler?: boolean }>
  )[symbol];
  if (controller === undefined) return;
  controller.isCustomValidatorCompiler = false;
  controller.isCustomSerializerCompiler = false;
}

function lazy(name: string): Build {
  let build: Build | undefined;
  return (...args) => {
    if (build === undefined) {
      // It is Fastify's dependency, so it is found from there.
      const fromFastify = createRequire(createRequire(import.meta.url).resolve("fastify"));
      build = (fromFastify(name) as () => Build)();
    }
    return build(...args);
  };
}
