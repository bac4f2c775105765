/** Fastify, each request a `tinypool.run`, with 2 workers. */
import fastify from "fastify";
import Tinypool from "tinypool";
import { serve } from "../harness/served.mjs";

const filename = new URL("../harness/workload.mjs", import.meta.url).href;
const pool = new Tinypool({ filename, minThreads: 2, maxThreads: 2 });

const app = fastify();
app.get("/json", () => pool.run(undefined, { name: "smallReply" }));
app.get("/heavy", () => pool.run(undefined, { name: "work" }));

await app.listen({ host: "127.0.0.1", port: 0 });
serve({ port: app.server.address().port });
