/** Fastify, its handlers on the main thread, as most apps are written. */
import { Readable } from "node:stream";
import fastify from "fastify";
import { serve } from "../harness/served.mjs";
import { BODY, bigBody, smallReply, work } from "../harness/workload.mjs";

const app = fastify({ bodyLimit: BODY + 1 });
app.addContentTypeParser("application/octet-stream", (_request, payload, done) => done(null, payload));

app.get("/json", () => smallReply());
app.get("/light", () => smallReply());
app.get("/light-main", () => smallReply());
app.get("/heavy", () => work());
app.get("/stream", (_request, reply) => {
  reply.header("content-type", "application/octet-stream");
  return Readable.from(bigBody(), { objectMode: false, highWaterMark: 65_536 });
});
app.post("/upload", async (request) => {
  let bytes = 0;
  for await (const chunk of request.body) bytes += chunk.length;
  return { bytes };
});

await app.listen({ host: "127.0.0.1", port: 0 });
serve({ port: app.server.address().port });
