/** duck-ts serving ./app.mjs. Its log is off, as Fastify's is in the peers. */
import { createServer } from "@duck-ts/server";
import { serve } from "../harness/served.mjs";
import { BODY } from "../harness/workload.mjs";

const workers = process.env.BENCH_WORKERS;
const server = await createServer(
  {
    app: new URL("app.mjs", import.meta.url),
    server: { port: 0, bodyLimitBytes: BODY + 1 },
    requestHandling: workers === undefined ? {} : { maxWorkers: Number(workers) },
    log: { level: "silent" },
  },
  { root: import.meta.dirname },
);
await server.listen();

serve({ port: Number(new URL(server.url).port) }, { workers: () => server.stats().workers.ready });
