/** Fastify in a node:cluster of 2 processes. */
import cluster from "node:cluster";
import fastify from "fastify";
import { serve } from "../harness/served.mjs";
import { smallReply, work } from "../harness/workload.mjs";

if (cluster.isPrimary) {
  const ports = [cluster.fork(), cluster.fork()].map(
    (worker) => new Promise((resolve) => worker.once("listening", ({ port }) => resolve(port))),
  );
  const [port] = await Promise.all(ports);
  serve({ port });
} else {
  const app = fastify();
  app.get("/json", () => smallReply());
  app.get("/light", () => smallReply());
  app.get("/heavy", () => work());
  await app.listen({ host: "127.0.0.1", port: 0 });
}
