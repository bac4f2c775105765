// What `pnpm fuzz` talks to: routes that say what they were given, and some that give what they are told to.
import { all, defineApp, get, post, reply } from "@duck-ts/server";

const base64 = (bytes) => Buffer.from(bytes).toString("base64");

export default defineApp({
  routes: [
    all("/seen/*", ({ method, url, query, headers, cookies }) => ({
      method,
      url,
      query: Object.entries(query),
      headers: Object.entries(headers),
      cookies: Object.entries(cookies),
    })),
    get("/param/:one/:two", ({ params }) => Object.entries(params)),
    get("/id/:n", ({ params }) => params.n),
    get("/web/*", ({ request }) => ({ url: request.url, headers: [...request.headers] })),
    post("/json", ({ body }) => ({ body })),
    post("/text", ({ body }) => body ?? ""),
    post("/bytes", ({ body }) => body ?? new Uint8Array(0)),
    post("/stream", { streamBody: true }, async function* ({ request }) {
      for await (const piece of request.body ?? []) yield piece;
    }),
    post("/form", async ({ request }) => {
      const fields = [];
      for (const [name, value] of await request.formData()) {
        if (typeof value === "string") fields.push([name, value]);
        else fields.push([name, { file: value.name, type: value.type, bytes: base64(await value.arrayBuffer()) }]);
      }
      return fields;
    }),
    // Told what to answer, by a body of JSON.
    post("/reply", ({ body: { status, headers, text } }) => reply(status, text, headers)),
    post("/pieces", async function* ({ body }) {
      for (const { text, bytes, pause } of body) {
        if (pause) await new Promise((turn) => setImmediate(turn));
        yield text ?? new Uint8Array(Buffer.from(bytes, "base64"));
      }
    }),
  ],
});
