// What `pnpm soak` serves: a route of each kind, and some that misbehave.
import { createHash } from "node:crypto";
import { defineApp, get, post, sse, ws } from "@duck-ts/server";

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export default defineApp({
  routes: [
    get("/light/:n", ({ params }) => ({ n: params.n })),
    get("/heavy/:n", ({ params }) => {
      const until = performance.now() + 5;
      while (performance.now() < until);
      return { n: params.n };
    }),
    get("/async/:n", async ({ params }) => {
      await pause(5);
      return { n: params.n };
    }),
    get("/slow/:n", async ({ params }) => {
      await pause(300);
      return { n: params.n };
    }),
    post("/echo", { bodyLimitBytes: 1_000_000 }, ({ body }) => body),
    post("/upload", { streamBody: true }, async ({ request }) => {
      const hash = createHash("sha256");
      for await (const piece of request.body ?? []) hash.update(piece);
      return hash.digest("hex");
    }),
    get("/stream/:kb", async function* ({ params }) {
      for (let kb = 0; kb < Number(params.kb); kb++) {
        yield String.fromCharCode(97 + (kb % 26)).repeat(1024);
        if (kb % 16 === 0) await pause(1);
      }
    }),
    get("/endless", async function* () {
      for (;;) {
        yield "x".repeat(4096);
        await pause(1);
      }
    }),
    get("/events", () =>
      sse(
        (async function* () {
          for (let i = 0; i < 5; i++) {
            yield { id: String(i), data: { i } };
            await pause(5);
          }
        })(),
      ),
    ),
    ws("/socket", { message: (socket, data) => void socket.send(data) }),
    get("/loop", { timeoutMs: 300 }, () => {
      for (;;);
    }),
    post("/out-of-memory", () => {
      const hoard = [];
      for (;;) hoard.push(new Array(10_000).fill(hoard.length));
    }),
    post("/die", () => process.exit(3)),
  ],
});
