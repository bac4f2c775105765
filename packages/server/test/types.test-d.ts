/** Types that users meet; checked by the compiler, never run. */
import { defineApp, defineConfig, get, type PathParams, post, reply } from "@duck-ts/server";
import { expectTypeOf } from "vitest";
import { z } from "zod";

expectTypeOf<PathParams<"/a/:b/c/:d">>().toEqualTypeOf<{ b: string; d: string }>();
expectTypeOf<PathParams<"/files/*">>().toEqualTypeOf<{ "*": string }>();
expectTypeOf<PathParams<"/x/:id(\\d+)">>().toEqualTypeOf<{ id: string }>();
expectTypeOf<PathParams<"/x/:id?">>().toEqualTypeOf<{ id?: string }>();
expectTypeOf<PathParams<"/plain">>().toEqualTypeOf<Record<never, string>>();

get("/hello/:name", ({ params, query, body, signal }) => {
  expectTypeOf(params).toEqualTypeOf<{ name: string }>();
  expectTypeOf(query["a"]).toEqualTypeOf<string | string[] | undefined>();
  expectTypeOf(body).toEqualTypeOf<unknown>();
  expectTypeOf(signal).toEqualTypeOf<AbortSignal>();
  return null;
});

const schemas = {
  params: z.object({ id: z.coerce.number() }),
  query: z.object({ page: z.coerce.number().default(1) }),
  headers: z.object({ authorization: z.string() }),
  body: z.object({ name: z.string() }),
  response: z.object({ id: z.number(), name: z.string() }),
};
post("/users/:id", schemas, ({ params, query, headers, body }) => {
  expectTypeOf(params).toEqualTypeOf<{ id: number }>();
  expectTypeOf(query).toEqualTypeOf<{ page: number }>();
  expectTypeOf(headers).toEqualTypeOf<{ authorization: string }>();
  expectTypeOf(body).toEqualTypeOf<{ name: string }>();
  return { id: params.id, name: body.name };
});
post("/users/:id", schemas, () => reply(201, { id: 1, name: "x" }));
// @ts-expect-error the response schema wants a number
post("/users/:id", { response: z.object({ id: z.number() }) }, () => ({ id: "no" }));
// @ts-expect-error an unknown option
get("/x", { timeout: 100 }, () => null);
// @ts-expect-error a parameter that the path does not have
get("/x/:a", ({ params }) => params.b);
// @ts-expect-error a misspelt setting
defineConfig({ server: { prot: 1 } });
// @ts-expect-error routes are what get() and the others return
defineApp({ routes: [{ path: "/x" }] });
