import { defineApp, get, post, reply } from "@duck-ts/server";
import { bigBody, smallReply, work } from "../harness/workload.mjs";

const more = Number(process.env.BENCH_ROUTES ?? 0);

export default defineApp({
  routes: [
    get("/json", () => smallReply()),
    get("/light", () => smallReply()),
    get("/light-main", { run: "main" }, () => smallReply()),
    get("/heavy", () => work()),
    get("/stream", () => reply(200, bigBody(), { "content-type": "application/octet-stream" })),
    post("/upload", { streamBody: true }, async ({ request }) => {
      let bytes = 0;
      for await (const chunk of request.body) bytes += chunk.length;
      return { bytes };
    }),
    ...Array.from({ length: more }, (_, index) => get(`/more/of/them/${index}/:id`, ({ params }) => params)),
  ],
});
