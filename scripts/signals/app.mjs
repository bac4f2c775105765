// What `pnpm soak:signals` serves: answers that say whose they are, from handlers that hold their thread or await.
import { defineApp, get, post } from "@duck-ts/server";

export default defineApp({
  routes: [
    get("/quick/:n", ({ params }) => params.n),
    get("/hold/:n", ({ params }) => {
      const until = performance.now() + 2;
      while (performance.now() < until);
      return params.n;
    }),
    get("/wait/:n", async ({ params }) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return params.n;
    }),
    post("/body/:n", ({ body }) => body),
  ],
});
