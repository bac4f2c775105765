/** Types that users meet; checked by the compiler, never run. */
import {
  createServer,
  type DuckServer,
  defineApp,
  defineConfig,
  definePlugin,
  file,
  get,
  type PathParams,
  post,
  redirect,
  reply,
  route,
  ws,
} from "@duck-ts/server";
import { expectTypeOf } from "vitest";
import { z } from "zod";

expectTypeOf<PathParams<"/a/:b/c/:d">>().toEqualTypeOf<{ b: string; d: string }>();
expectTypeOf<PathParams<"/files/*">>().toEqualTypeOf<{ "*": string }>();
expectTypeOf<PathParams<"/x/:id(\\d+)">>().toEqualTypeOf<{ id: string }>();
expectTypeOf<PathParams<"/x/:id?">>().toEqualTypeOf<{ id?: string }>();
expectTypeOf<PathParams<"/x/:id/:part?">>().toEqualTypeOf<{ id: string; part?: string }>();
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
// What another minor version of zod gives lacks members that this one's type has.
declare const ofOtherVersion: Omit<typeof schemas.body, "toJSONSchema" | "with">;
post("/users", { body: ofOtherVersion }, ({ body }) => {
  expectTypeOf(body).toEqualTypeOf<{ name: string }>();
});
// @ts-expect-error the response schema wants a number
post("/users/:id", { response: z.object({ id: z.number() }) }, () => ({ id: "no" }));
// An option may be left open by a value that is undefined, under exactOptionalPropertyTypes too.
const perhaps = undefined as number | undefined;
get("/x", { timeoutMs: perhaps, maxConcurrent: perhaps }, () =>
  reply(200).cookie("a", "b", { maxAgeSeconds: perhaps }),
);
get("/x", () => file("x", { maxAgeSeconds: perhaps }));
ws("/x", {}, { pingIntervalMs: perhaps });
// @ts-expect-error an unknown option
get("/x", { timeout: 100 }, () => null);
// @ts-expect-error a parameter that the path does not have
get("/x/:a", ({ params }) => params.b);
const numbered = { response: z.object({ id: z.number() }) };
post("/users/:id", numbered, () => reply(201, { id: 1 }, { location: "/users/1" }).cookie("last", "1"));
post("/users/:id", numbered, async () => (Math.random() < 0.5 ? { id: 1 } : reply(404, { reason: "no such user" })));
post("/users/:id", numbered, () => redirect("/users"));
post("/users/:id", numbered, () => reply(200, new Uint8Array(3)));
post("/users/:id", numbered, () => reply(204));
const byStatus = { response: { 200: z.object({ id: z.number() }), 404: z.object({ reason: z.string() }) } };
post("/users/:id", byStatus, () => reply(404, { reason: "no such user" }));
// @ts-expect-error a status that the schemas name has a schema of its own
post("/users/:id", byStatus, () => reply(404, { cause: "no such user" }));
// @ts-expect-error what a reply() carries is checked, too
post("/users/:id", numbered, () => reply(201, { id: "no" }));
// @ts-expect-error also where the handler is async
post("/users/:id", numbered, async () => reply(201, { id: "no" }));
// @ts-expect-error and what an async handler returns as it is
post("/users/:id", { response: z.object({ id: z.number() }) }, async () => ({ id: "no" }));
// @ts-expect-error a method that there is not
route("FETCH", "/x", () => null);
ws("/talk/:room", {
  open(socket, { params }) {
    expectTypeOf(params).toEqualTypeOf<{ room: string }>();
    expectTypeOf(socket.send("x")).toEqualTypeOf<boolean>();
  },
  message: (_socket, data) => void expectTypeOf(data).toEqualTypeOf<string | Uint8Array>(),
});
// @ts-expect-error a callback that there is not
ws("/talk", { opened() {} });
// @ts-expect-error a misspelt setting
defineConfig({ server: { prot: 1 } });
// @ts-expect-error a misspelt section
defineConfig({ sever: { port: 1 } });
// @ts-expect-error a misspelt setting of the pool
defineConfig({ requestHandling: { maxWorker: 1 } });
// @ts-expect-error a setting of the wrong type
defineConfig({ server: { port: "80" } });
// @ts-expect-error a level that there is not
defineConfig({ log: { level: "loud" } });
// @ts-expect-error a misspelt path
defineConfig({ management: { healthz: "/up" } });
defineConfig({
  requestHandling: { maxWorkers: "auto" },
  management: { expose: { host: "::1", port: 9000 }, ready: false },
});
// @ts-expect-error a plugin has a name
definePlugin({ server() {} });
// @ts-expect-error a misspelt side
definePlugin({ name: "x", sever() {} });
definePlugin({
  name: "x",
  server(fastify, config) {
    expectTypeOf(config.server.port).toEqualTypeOf<number>();
    fastify.get("/x", () => null);
  },
});
expectTypeOf(createServer({ app: "./app.ts" })).toEqualTypeOf<Promise<DuckServer>>();
// @ts-expect-error routes are what get() and the others return
defineApp({ routes: [{ path: "/x" }] });
