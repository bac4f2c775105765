/** The demo's routes in a bare Fastify process. */
import fastify from "fastify";

const pages = ["/", "/render", "/guestbook", "/upload", "/report", "/events", "/threads", "/misbehave"];
const apis = ["/render/image.png", "/api/guestbook", "/report.csv", "/api/events", "/api/threads", "/api/ping"];
const deeds = ["block", "loop", "regex", "exit", "throw", "reject"];

const app = fastify({ bodyLimit: 256 * 1024 * 1024 });
app.get("/hello/:name", (request) => ({ hello: request.params.name }));
for (const path of pages) app.get(path, (_request, reply) => reply.type("text/html").send(`<h1>${path}</h1>`));
for (const path of apis) app.get(path, () => ({ path }));
app.post("/api/guestbook", (_request, reply) => reply.code(201).send({}));
app.put("/api/upload", () => ({}));
for (const deed of deeds) app.post(`/api/misbehave/${deed}`, () => ({ deed }));

console.log(await app.listen({ host: "127.0.0.1", port: 0 }));
