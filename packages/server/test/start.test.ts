import { createServer } from "@duck-ts/server";
import { expect, test } from "vitest";
import { fixtures, gate, start, until } from "./support/server.ts";

test.each([
  ["an import that never ends", "loops-on-import.ts"],
  ["an onWorkerStart that never ends", "never-starts.ts"],
])("%s: createServer rejects at its deadline, and says what it waited for", async (_what, app) => {
  const options = { root: fixtures, startTimeoutMs: 500, logStream: { write: () => undefined } };
  await expect(createServer({ app: `./${app}`, requestHandling: { maxWorkers: 1 } }, options)).rejects.toThrow(
    /could not start: it was not ready after 500 ms: the app's top level, or an onWorkerStart, has not finished/,
  );
});

test("where the server listens is not said a second time by Fastify", async () => {
  const server = await start("basic.ts");
  server.log.info("a line of its own");
  const said = server.lines.map((line) => String(line["msg"]));
  expect(said).toContain("a line of its own");
  expect(said.filter((text) => text.toLowerCase().includes("listen"))).toEqual([]);
});

test("replacements that hang while they start are ended at the deadline; three in a row are a line and a server that is not ready", async () => {
  const [HANG, HUNG] = [0, 1] as const;
  gate.fill(0);
  const server = await start("hangs-when-told.ts", { requestHandling: { maxWorkers: 1 } }, { startTimeoutMs: 2000 });
  const said = (text: string): number => server.lines.filter((line) => String(line["msg"]).includes(text)).length;
  gate[HANG] = 1;
  expect((await fetch(`${server.at}/exit`, { method: "POST" })).status).toBe(502);
  await until(() => said("three times in a row") === 1, 20_000);
  // No storm: one at a time, each with its time and a pause after it.
  expect(gate[HUNG]).toBeLessThanOrEqual(4);
  expect(said("it was not ready after 2000 ms: the app's top level, or an onWorkerStart, has not finished")).toBe(3);
  const ready = await fetch(`${server.at}/readyz`);
  expect([ready.status, await ready.json()]).toEqual([
    503,
    expect.objectContaining({ reason: "request threads cannot start" }),
  ]);
  gate[HANG] = 0;
  expect(await (await fetch(`${server.at}/quick`)).text()).toBe("quick");
  expect((await fetch(`${server.at}/readyz`)).status).toBe(200);
}, 40_000);

test("a reload whose threads hang while they start leaves the old ones in service", async () => {
  gate.fill(0);
  const server = await start("hangs-when-told.ts", { requestHandling: { maxWorkers: 1 } }, { startTimeoutMs: 2000 });
  gate[0] = 1;
  await expect(server.reload()).rejects.toThrow(/could not start: it was not ready after 2000 ms/);
  expect(await (await fetch(`${server.at}/quick`)).text()).toBe("quick");
  expect((await fetch(`${server.at}/readyz`)).status).toBe(200);
});
