// What scripts/bystanders.mjs serves: a light route, and what is to leave it alone.
import { execSync } from "node:child_process";
import { defineApp, get, post } from "@duck-ts/server";

const cell = new Int32Array(new SharedArrayBuffer(4));
const piece = new Uint8Array(16 * 1024).fill(120);

export default defineApp({
  routes: [
    get("/quick", () => ({ quick: true })),
    get("/wait/:ms", ({ params }) => Atomics.wait(cell, 0, 0, Number(params.ms))),
    get("/compute/:ms", ({ params }) => {
      const until = performance.now() + Number(params.ms);
      while (performance.now() < until);
      return "computed";
    }),
    get("/exec/:ms", ({ params }) => execSync(`sleep ${Number(params.ms) / 1000}`).toString()),
    get("/endless", function* () {
      for (;;) yield piece;
    }),
    post("/body", ({ body }) => String(body).length),
  ],
});
