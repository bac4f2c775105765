import { defineConfig } from "vitest/config";

/** For `pnpm test:browser`: what needs a browser is no part of `npm test`, which has to run wherever Node does. */
export default defineConfig({
  test: { include: ["test/browser/*.test.ts"], pool: "forks", testTimeout: 20_000, hookTimeout: 20_000, retry: 0 },
});
