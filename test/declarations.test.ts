/** What the packages declare to TypeScript is understood by compilers down to 5.4, whose library types are narrower. */
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";

const require = createRequire(import.meta.url);

/** Before TypeScript 5.6 these had one type parameter; with more, what an iterable yields is an error, or `any`. */
const wideIterables = /\bAsyncIterable(?:Iterator)?<[^<>]*,/;

test.each(["runtime", "managers", "server"])("@duck-ts/%s names no type parameters that are newer", (name) => {
  const dist = join(dirname(require.resolve(`@duck-ts/${name}/package.json`)), "dist");
  const declarations = readdirSync(dist, { recursive: true, encoding: "utf8" }).filter((file) =>
    file.endsWith(".d.ts"),
  );
  expect(declarations).not.toEqual([]);
  const wide = declarations.filter((file) => wideIterables.test(readFileSync(join(dist, file), "utf8")));
  expect(wide).toEqual([]);
});

test.each(["runtime", "managers", "server"])(
  "@duck-ts/%s is found by what does not read `exports`: TypeScript's `module: commonjs` with its own resolution, say",
  (name) => {
    const { main, types, exports } = require(`@duck-ts/${name}/package.json`);
    expect({ types, default: main }).toEqual(exports["."]);
  },
);
