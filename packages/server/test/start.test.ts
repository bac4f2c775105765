import { createServer } from "@duck-ts/server";
import { expect, test } from "vitest";
import { fixtures, start } from "./support/server.ts";

test.each([
  ["an import that never ends", "loops-on-import.ts"],
  ["an onWorkerStart that never ends", "never-starts.ts"],
])("%s: createServer rejects at its deadline, and says what it waited for", async (_what, app) => {
  const options = { root: fixtures, startTimeoutMs: 500, logStream: { write: () => undefined } };
  const begun = performance.now();
  await expect(createServer({ app: `./${app}`, requestHandling: { maxWorkers: 1 } }, options)).rejects.toThrow(
    /No request thread was ready after 500 ms: the app's top level, or an onWorkerStart, has not finished/,
  );
  expect(performance.now() - begun).toBeLessThan(5000);
});

test("where the server listens is not said a second time by Fastify", async () => {
  const server = await start("basic.ts");
  server.log.info("a line of its own");
  const said = server.lines.map((line) => String(line["msg"]));
  expect(said).toContain("a line of its own");
  expect(said.filter((text) => text.toLowerCase().includes("listen"))).toEqual([]);
});
