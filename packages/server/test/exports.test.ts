import * as managers from "@duck-ts/managers";
import * as runtime from "@duck-ts/runtime";
import * as server from "@duck-ts/server";
import { expect, test } from "vitest";

test.each([
  ["@duck-ts/runtime", runtime],
  ["@duck-ts/managers", managers],
])("an app has one import: the server gives all that %s has", (_name, other) => {
  const missing = Object.keys(other).filter((name) => !(name in server));
  expect(missing).toEqual([]);
  const given = new Map<string, unknown>(Object.entries(server));
  for (const [name, value] of Object.entries(other)) expect(given.get(name), name).toBe(value);
});

test.each([
  ["@duck-ts/runtime", runtime],
  ["@duck-ts/managers", managers],
])("what %s exports goes by its name, whatever the build made of it", (_name, all) => {
  for (const [name, value] of Object.entries(all)) if (typeof value === "function") expect(value.name).toBe(name);
});
