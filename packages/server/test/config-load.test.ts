import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ConfigError, findConfigFile, loadConfigFile, loadEnvFiles } from "../src/config/index.ts";
import { temporaryFolder, write } from "./support/temporary-folder.ts";

describe("a config file", () => {
  it("is found as .ts, .mts, .cts, .js, .mjs, .cjs or .json, in this order", () => {
    const folder = temporaryFolder();
    expect(findConfigFile(folder)).toBeNull();
    for (const ending of ["json", "cjs", "mjs", "js", "cts", "mts", "ts"]) {
      write(folder, { [`duck.config.${ending}`]: "export default {}" });
      expect(findConfigFile(folder)).toBe(join(folder, `duck.config.${ending}`));
    }
  });

  it.each([
    ["duck.config.json", `{ "server": { "port": 1234 } }`],
    ["duck.config.cjs", "module.exports = { server: { port: 1234 } };"],
  ])("may be %s", async (name, content) => {
    const loaded = await loadConfigFile({ cwd: temporaryFolder({ [name]: content }) });
    expect(loaded?.config).toEqual({ server: { port: 1234 } });
  });

  it("may be TypeScript that imports other TypeScript, and knows its own place", async () => {
    const folder = temporaryFolder({
      "duck.config.ts": `
        import { port } from "./settings/port.ts";
        const config: { server: { port: number }; app: URL } = { server: { port }, app: new URL("./src/app.ts", import.meta.url) };
        export default config;`,
      "settings/port.ts": "export const port: number = 1234;",
    });
    const loaded = await loadConfigFile({ cwd: folder });
    expect(loaded).toMatchObject({ file: join(folder, "duck.config.ts"), root: folder });
    expect(loaded?.config.server?.port).toBe(1234);
    expect(String(loaded?.config.app)).toBe(`file://${folder}/src/app.ts`);
  });

  it("may use defineConfig and definePlugin", async () => {
    const folder = temporaryFolder({
      "duck.config.mjs": `import { defineConfig } from ${JSON.stringify(new URL("../src/config/define.ts", import.meta.url).pathname)};
        export default defineConfig({ server: { port: 7 } });`,
    });
    expect((await loadConfigFile({ cwd: folder }))?.config).toEqual({ server: { port: 7 } });
  });

  it("is read again after a change", async () => {
    const folder = temporaryFolder({ "duck.config.ts": "export default { server: { port: 1 } }" });
    expect((await loadConfigFile({ cwd: folder }))?.config.server?.port).toBe(1);
    write(folder, { "duck.config.ts": "export default { server: { port: 22 } }" });
    expect((await loadConfigFile({ cwd: folder }))?.config.server?.port).toBe(22);
  });

  it("may be absent", async () => {
    expect(await loadConfigFile({ cwd: temporaryFolder() })).toBeNull();
  });

  it("can be named, relative to the current folder", async () => {
    const folder = temporaryFolder({ "deploy/live.config.ts": "export default { log: { level: 'warn' } }" });
    const loaded = await loadConfigFile({ cwd: folder, file: "deploy/live.config.ts" });
    expect(loaded).toMatchObject({ root: join(folder, "deploy"), config: { log: { level: "warn" } } });
  });

  const broken: [string, string, RegExp][] = [
    ["does not compile", "export default {\n  server: }", /duck\.config\.ts:2:11: Unexpected "}"/],
    ["throws", "throw new Error('no database')", /importing it throws Error: no database/],
    ["has no default export", "export const config = {}", /found the exports "config", expected a default export/],
    ["exports nothing", "", /found no exports/],
    [
      "imports what is not there",
      "import './gone.ts'; export default {}",
      /duck\.config\.ts:1:8: Could not resolve ".\/gone.ts"/,
    ],
    [
      "imports a package that is not installed",
      "import gone from 'gone-pkg'; export default gone",
      /Could not find the package "gone-pkg"/,
    ],
  ];
  it.each(broken)("is a ConfigError when it %s", async (_name, content, message) => {
    const folder = temporaryFolder({ "duck.config.ts": content });
    const error = await loadConfigFile({ cwd: folder }).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as ConfigError).message).toMatch(message);
    expect((error as ConfigError).message).toContain(join(folder, "duck.config.ts"));
  });

  it("is a ConfigError when the one named is not there", async () => {
    const folder = temporaryFolder();
    await expect(loadConfigFile({ cwd: folder, file: "no.ts" })).rejects.toThrow(
      `--config: found "no.ts", and no such file: ${folder}/no.ts, expected a config file`,
    );
  });
});

describe(".env files", () => {
  const files = {
    ".env": 'A=env\nB=env\nC=env\nD=env\nMULTI="two\nlines"',
    ".env.production": "B=production\nC=production\nD=production",
    ".env.local": "C=local\nD=local",
    ".env.production.local": "D=both",
  };

  it("fill in what the environment leaves open, the nearer file winning", () => {
    const env = { NODE_ENV: "production" } as NodeJS.ProcessEnv;
    const folder = temporaryFolder(files);
    expect(loadEnvFiles(folder, env).map((file) => file.slice(folder.length + 1))).toEqual([
      ".env.production.local",
      ".env.local",
      ".env.production",
      ".env",
    ]);
    expect(env).toEqual({
      NODE_ENV: "production",
      A: "env",
      B: "production",
      C: "local",
      D: "both",
      MULTI: "two\nlines",
    });
  });

  it("never overwrite what is set", () => {
    const env = { A: "mine" } as NodeJS.ProcessEnv;
    loadEnvFiles(temporaryFolder({ ".env": "A=file" }), env);
    expect(env.A).toBe("mine");
  });

  it("leave a developer's own .env.local out of tests", () => {
    const env = { NODE_ENV: "test" } as NodeJS.ProcessEnv;
    loadEnvFiles(temporaryFolder(files), env);
    expect(env.C).toBe("env");
  });

  it("may be absent", () => {
    expect(loadEnvFiles(temporaryFolder(), {})).toEqual([]);
  });
});
