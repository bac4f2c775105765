import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Comment, parse } from "acorn";
import { expect, test } from "vitest";

const dist = fileURLToPath(new URL("../packages/runtime/dist", import.meta.url));

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
}

function* importsIn(node: unknown): Generator<Node & { readonly source: Node }> {
  if (typeof node !== "object" || node === null) return;
  if ((node as Node).type === "ImportExpression") yield node as Node & { readonly source: Node };
  for (const part of Object.values(node)) yield* importsIn(part);
}

// Turbopack, Next.js's bundler, fails to build over an import() whose target it cannot know, and webpack warns of it.
test("bundlers leave alone what is imported by a name known at run time", () => {
  let found = 0;
  for (const file of readdirSync(dist)) {
    if (!file.endsWith(".js")) continue;
    const code = readFileSync(`${dist}/${file}`, "utf8");
    const comments: Comment[] = [];
    const tree = parse(code, { ecmaVersion: "latest", sourceType: "module", onComment: comments });
    for (const { source, start } of importsIn(tree)) {
      if (source.type === "Literal") continue;
      found++;
      const said = comments.filter((comment) => comment.start > start && comment.end <= source.start);
      expect(said.map(({ value }) => value.trim())).toEqual(["@vite-ignore", "webpackIgnore: true"]);
    }
  }
  expect(found).toBe(3);
});
