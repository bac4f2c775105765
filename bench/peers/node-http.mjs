/** Bare node:http: what the platform itself can do. */
import { createServer } from "node:http";
import { pipeline, Readable } from "node:stream";
import { serve } from "../harness/served.mjs";
import { bigBody, smallReply } from "../harness/workload.mjs";

const server = createServer((request, response) => {
  if (request.url === "/stream") {
    pipeline(Readable.from(bigBody(), { objectMode: false, highWaterMark: 65_536 }), response, () => {});
    return;
  }
  const body = JSON.stringify(smallReply());
  response.writeHead(200, {
    "content-type": "application/json; charset=utf-8",
    "content-length": Buffer.byteLength(body),
  });
  response.end(body);
});
server.listen(0, "127.0.0.1", () => serve({ port: server.address().port }));
