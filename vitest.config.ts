import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["packages/*/test/**/*.test.ts", "test/**/*.test.ts"],
    // test/packed is for scripts/packed.mjs: it holds only where the packages are installed as a user installs them.
    // test/browser is for `pnpm test:browser`: it needs a Chromium.
    exclude: ["**/node_modules/**", "**/dist/**", "**/fixtures/**", "test/packed/**", "test/browser/**"],
    // One process a test file: whatever a test leaves in its process (threads, handles) stays its own.
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 20_000,
    teardownTimeout: 10_000,
    retry: 0,
    passWithNoTests: false,
    server: {
      deps: {
        // The tests are about what is shipped: Node loads it, vite does not touch it.
        external: [/\/packages\/[^/]+\/dist\//],
      },
    },
  },
});
