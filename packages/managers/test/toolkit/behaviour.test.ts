/** Each line of BEHAVIOUR.md on the toolkit as a program has it: as plain ESM, as TypeScript and as a bundle. */
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import type { BuildOptions } from "esbuild";
import { beforeAll, describe, expect, test } from "vitest";
import { lines } from "./fixtures/behaviour.ts";
import { bundled, type Ran, runNode, runTypeScript } from "./support/scripts.ts";

/** It starts some sixty threads, each of which has to load TypeScript's loader in one of the forms. */
const WITHIN_MS = 120_000;

const bundledAs = async (options: BuildOptions): Promise<Ran> => {
  const script = await bundled("behaviour.ts", options);
  return runNode([script, "run"], dirname(script), {}, WITHIN_MS);
};

describe.each([
  ["plain ESM", () => bundledAs({ bundle: false })],
  [
    "TypeScript",
    () => runTypeScript(fileURLToPath(new URL("./fixtures/behaviour.ts", import.meta.url)), ["run"], WITHIN_MS),
  ],
  ["a bundle", () => bundledAs({ external: ["@duck-ts/*"] })],
  ["a bundle with the packages in it", () => bundledAs({ external: ["pino", "tsx", "tinypool"] })],
] as const)("on %s", (_form, run) => {
  let ran: Ran;
  let said: readonly string[];

  beforeAll(async () => {
    ran = await run();
    said = ran.stdout.split("\n");
  }, WITHIN_MS + 10_000);

  test.each(lines)("%s", (line) => {
    expect(said.find((one) => one.includes(`: ${line}`)) ?? ran.stdout).toBe(`ok: ${line}`);
  });

  test("the program ends by itself", () => {
    expect(ran.code).toBe(0);
    expect(said.filter((one) => one.startsWith("ok: ")).length).toBe(lines.length);
  });
});
