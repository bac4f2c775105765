/** Each line of BEHAVIOUR.md on the toolkit as a program has it: as plain ESM, as TypeScript and as a bundle. */
import { availableParallelism } from "node:os";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import type { BuildOptions } from "esbuild";
import { beforeAll, describe, expect, test } from "vitest";
import { failure } from "../support/gates.ts";
import { lines } from "./fixtures/behaviour.ts";
import { bundled, type Ran, runNode, runTypeScript } from "./support/scripts.ts";

/** It starts some two hundred threads, each of which has to load TypeScript's loader in one of the forms. */
const WITHIN_MS = 120_000;

type Run = (args: readonly string[], env?: NodeJS.ProcessEnv) => Promise<Ran>;

/** Makes a program of a file of the fixtures. */
const bundledAs =
  (options: BuildOptions) =>
  async (file: string): Promise<Run> => {
    const script = await bundled(file, options);
    return (args, env) => runNode([script, ...args], dirname(script), env, WITHIN_MS);
  };
const asTypeScript = async (file: string): Promise<Run> => {
  const path = fileURLToPath(new URL(`./fixtures/${file}`, import.meta.url));
  return (args, env) => runTypeScript(path, args, { env, withinMs: WITHIN_MS });
};

describe.each([
  ["plain ESM", bundledAs({ bundle: false })],
  ["TypeScript", asTypeScript],
  ["a bundle", bundledAs({ external: ["@duck-ts/*"] })],
  ["a bundle with the packages in it", bundledAs({ external: ["pino", "tsx", "tinypool"] })],
] as const)(
  "on %s",
  (_form, made) => {
    let ran: Ran;
    let said: readonly string[];
    let inProcess: Run;

    beforeAll(async () => {
      ran = await (await made("behaviour.ts"))(["run"]);
      said = ran.stdout.split("\n");
      inProcess = await made("processes.ts");
    }, WITHIN_MS + 10_000);

    test.each(lines)("%s", (line) => {
      expect(said.find((one) => one.includes(`: ${line}`)) ?? ran.stdout).toBe(`ok: ${line}`);
    });

    test("the program ends by itself", () => {
      expect(ran.code).toBe(0);
      expect(said.filter((one) => one.startsWith("ok: ")).length).toBe(lines.length);
    });

    test("detach: false keeps the process alive until the thread ends: a call's, a method's, an iterable's", async () => {
      const { code, stdout } = await inProcess(["attached"]);
      const [first, ...rest] = stdout.trimEnd().split("\n");
      expect([code, first, rest.sort()]).toEqual([
        0,
        "main ends",
        ["a call ends", "a method ends", "an iterable ends"],
      ]);
    });

    test("detach: false does so from inside a worker too; by default only what is awaited is waited for", async () => {
      expect(await inProcess(["attached from a worker"])).toEqual({ code: 0, stdout: "main ends\na call ends\n" });
      expect(await inProcess(["detached"])).toEqual({ code: 0, stdout: "main ends\n" });
      expect(await inProcess(["detached, and awaited"])).toEqual({ code: 0, stdout: "a call ends\nmain ends\n" });
    });

    test.each([undefined, 2])("DUCK_POOL_SIZE %s sizes executors, the default pool and entrypoints", async (given) => {
      const size = given ?? Math.min(Math.max(availableParallelism(), 4), 32);
      const env = { DUCK_POOL_SIZE: given === undefined ? undefined : String(given) };
      expect(await inProcess(["sizes", String(size)], env)).toEqual({
        code: 0,
        stdout: `executor ${size}\ndefault pool ${size}\nentrypoint ${size}\nentrypoint of 3: 3\nmain ends\n`,
      });
    });

    test.each(["an executor", "the default pool", "an entrypoint"])(
      "a DUCK_POOL_SIZE that is no size is told to who asks for %s",
      async (of) => {
        const error = (await failure(inProcess([`size of ${of}`], { DUCK_POOL_SIZE: "many" }))) as Error;
        expect(error.message).toMatch(
          /RangeError: The environment variable DUCK_POOL_SIZE must be a whole number from 1 to 1024, got "many"/,
        );
      },
    );
  },
  60_000,
);
