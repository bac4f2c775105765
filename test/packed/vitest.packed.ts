/** For the folder that scripts/packed.mjs makes. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["packages/*/test/**/*.test.ts", "test/**/*.test.ts"],
    exclude: ["**/node_modules/**", "**/fixtures/**"],
    setupFiles: ["test/packed/setup.ts"],
    // As in the workspace: one process a test file.
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 20_000,
    teardownTimeout: 10_000,
    retry: 0,
    passWithNoTests: false,
  },
});
