/** Each line of BEHAVIOUR.md on the toolkit as a program has it: as plain ESM, as TypeScript and as a bundle. */
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { lines } from "./fixtures/behaviour.ts";
import { bundled, type Ran, runScript, runTypeScript } from "./support/scripts.ts";

describe.each([
  ["plain ESM", async () => runScript(await bundled("behaviour.ts", { bundle: false }), "run")],
  ["TypeScript", () => runTypeScript(fileURLToPath(new URL("./fixtures/behaviour.ts", import.meta.url)), "run")],
  ["a bundle", async () => runScript(await bundled("behaviour.ts", { external: ["@duck-ts/*"] }), "run")],
  [
    "a bundle with the packages in it",
    async () => runScript(await bundled("behaviour.ts", { external: ["pino", "tsx", "tinypool"] }), "run"),
  ],
] as const)("on %s", (_form, run) => {
  let ran: Ran;
  let said: readonly string[];

  beforeAll(async () => {
    ran = await run();
    said = ran.stdout.split("\n");
  }, 90_000);

  test.each(lines)("%s", (line) => {
    expect(said.find((one) => one.includes(`: ${line}`)) ?? ran.stdout).toBe(`ok: ${line}`);
  });

  test("the program ends by itself", () => {
    expect(ran.code).toBe(0);
    expect(said.filter((one) => one.startsWith("ok: ")).length).toBe(lines.length);
  });
});
