import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Names of environment variables look the same, but are no codes. */
const environment = new Set(["DUCK_LOG_LEVEL", "DUCK_POOL_SIZE"]);

function codesIn(text: string): string[] {
  return [...text.matchAll(/\bDUCK_[A-Z_]+\b/g)].map(([code]) => code).filter((code) => !environment.has(code));
}

function codesOfSources(): Set<string> {
  const codes = new Set<string>();
  for (const name of ["runtime", "managers", "server"]) {
    for (const file of readdirSync(`${root}packages/${name}/src`, { recursive: true, encoding: "utf8" })) {
      if (!file.endsWith(".ts")) continue;
      for (const [, code] of readFileSync(`${root}packages/${name}/src/${file}`, "utf8").matchAll(
        /"(DUCK_[A-Z_]+)"/g,
      )) {
        if (code !== undefined && !environment.has(code)) codes.add(code);
      }
    }
  }
  return codes;
}

describe("the catalogue of errors", () => {
  const documented = new Set(codesIn(readFileSync(`${root}docs/errors.md`, "utf8")));

  it("explains every code that the packages use", () => {
    expect([...codesOfSources()].filter((code) => !documented.has(code))).toEqual([]);
  });

  it("explains none that they do not use", () => {
    const used = codesOfSources();
    expect([...documented].filter((code) => !used.has(code))).toEqual([]);
  });
});
