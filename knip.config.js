// What knip takes for used from outside: the entries that each package's build has, and the files that something else
// starts: tests, scripts, and the modules that tests load by path.
import { readdirSync, readFileSync } from "node:fs";

const packages = Object.fromEntries(
  readdirSync("packages").map((name) => {
    const { duck } = JSON.parse(readFileSync(`packages/${name}/package.json`, "utf8"));
    // What `exports` names is known to knip already.
    const entry = [...duck.entries, ...(duck.alone ?? [])].filter(
      (file) => !["src/index.ts", "src/internal.ts"].includes(file),
    );
    const tests = ["test/**/*.{test,test-d}.ts", "test/**/fixtures/**"];
    return [`packages/${name}`, { entry: [...entry, ...tests], project: ["{src,test}/**/*.{ts,mts,js,mjs}"] }];
  }),
);

export default {
  // scripts/tool.mjs and tests find these by name.
  ignoreDependencies: ["publint", "@arethetypeswrong/cli", "tsx"],
  workspaces: {
    ".": {
      entry: ["scripts/*.mjs", "test/**/*.{test,test-d}.ts", "test/**/fixtures/**", "test/browser/vitest.browser.ts"],
      project: ["scripts/*.mjs", "test/**/*.{ts,mts,js,mjs}"],
      // What test/packed imports is installed by scripts/packed.mjs, in another folder.
      ignore: ["test/packed/**"],
      // Linked at the root for the tests and the examples in the docs, whichever of them they import.
      ignoreDependencies: [/^@duck-ts\//],
    },
    ...packages,
    "apps/demo": { entry: ["duck.config.ts", "src/app.ts"], project: ["**/*.{ts,tsx}"] },
    bench: { entry: ["*.{ts,mts,js,mjs}"], project: ["**/*.{ts,mts,js,mjs}"], ignoreBinaries: ["taskset"] },
  },
};
