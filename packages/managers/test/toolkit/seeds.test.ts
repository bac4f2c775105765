/** The manual's examples, as plain ESM, as TypeScript and as a bundle. */
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { bundled, runScript, runTypeScript } from "./support/scripts.ts";

const PRINTS = `[ 'done', 'done' ]
done done done
42
MyClass
42
[ 'quick', 'finished' ]
127.0.0.1 localhost
::1 localhost
taken 1, made 3
10.0.0.1 new
last 10
sum 9900
count 100
got: async result
value
Received: 0
Received: 1
Received: 2
Received: 3
Received: 4
[req-001] Processing request
[req-002] Processing request
[req-003] Processing request
`;

test("every example of the manual prints what it says, on plain ESM", async () => {
  const script = await bundled("seeds.ts", { bundle: false });
  expect(await runScript(script)).toEqual({ code: 0, stdout: PRINTS });
}, 60_000);

test("the same on TypeScript, with no build step", async () => {
  const script = fileURLToPath(new URL("./fixtures/seeds.ts", import.meta.url));
  expect(await runTypeScript(script)).toEqual({ code: 0, stdout: PRINTS });
}, 60_000);

test("the same in a bundle, with the packages in it or beside it", async () => {
  const beside = await bundled("seeds.ts", { external: ["@duck-ts/*"] });
  expect(await runScript(beside)).toEqual({ code: 0, stdout: PRINTS });
  const inside = await bundled("seeds.ts", { external: ["pino", "tsx", "tinypool"] });
  expect(await runScript(inside)).toEqual({ code: 0, stdout: PRINTS });
}, 60_000);
