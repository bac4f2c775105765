// A bare server that answers what the light route answers, and whom nobody disturbs: what happens to its clients is the
// machine's doing.
import { createServer } from "node:http";

process.once("message", () => {
  const server = createServer((_request, response) => {
    response.writeHead(200, { "content-type": "application/json", "content-length": 14 });
    response.end('{"quick":true}');
  });
  // Its clients pause while the other server comes to rest.
  server.keepAliveTimeout = 0;
  server.listen(0, "127.0.0.1", () => process.send({ port: server.address().port }));
});
