/** Fastify in a node:cluster of 2 processes. */
import cluster from "node:cluster";
import { once } from "node:events";
import fastify from "fastify";
import { serve } from "../harness/served.mjs";
import { smallReply, work } from "../harness/workload.mjs";

if (cluster.isPrimary) {
  const workers = [cluster.fork(), cluster.fork()];
  const [{ port }] = await Promise.all(workers.map(listening));
  const end = () => {
    for (const worker of workers) worker.kill("SIGKILL");
    return Promise.all(workers.map((worker) => once(worker, "exit")));
  };
  serve({ port }, {}, end);
} else {
  const app = fastify();
  app.get("/json", () => smallReply());
  app.get("/light", () => smallReply());
  app.get("/heavy", () => work());
  await app.listen({ host: "127.0.0.1", port: 0 });
}

function listening(worker) {
  return once(worker, "listening").then(([address]) => address);
}
