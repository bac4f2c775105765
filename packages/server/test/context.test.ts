import { BlockingNotAllowedError, SyncFuture, ThreadPoolManager } from "@duck-ts/server";
import { expect, test } from "vitest";
import { start, until } from "./support/server.ts";

test("what a handler sets in a context variable is gone with its request", async () => {
  const { at } = await start("context-vars.ts", { requestHandling: { maxWorkers: 1 } });
  const seen = await Promise.all(["a", "b", "c", "d"].map(async (name) => (await fetch(`${at}/set/${name}`)).json()));
  expect(seen).toEqual(["a", "b", "c", "d"].map((name) => ({ before: null, after: name })));
});

test("the request's id can be had anywhere in its flow", async () => {
  const { at } = await start("context-vars.ts");
  const response = await fetch(`${at}/id`, { headers: { "x-request-id": "r-1" } });
  expect(await response.json()).toEqual({ id: "r-1", current: "r-1" });
});

test("the line about a failed task names the request that had submitted it", async () => {
  const server = await start("context-vars.ts");
  await fetch(`${server.at}/failing-task`, { headers: { "x-request-id": "r-2" } });
  const line = server.lines.find((one) => String(one["msg"]).startsWith("a task of"));
  expect(line).toMatchObject({ level: 40, requestId: "r-2" });
});

test("server-sent events arrive as they are made, heartbeats in between, and end with the client", async () => {
  const server = await start("context-vars.ts");
  const controller = new AbortController();
  const response = await fetch(`${server.at}/events`, { signal: controller.signal });
  expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
  let text = "";
  const reading = (async () => {
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>)
      text += Buffer.from(chunk).toString();
  })().catch(() => undefined);
  await until(() => text.split(":\n\n").length > 3);
  expect(
    text.startsWith(
      ':\n\nevent: first\nid: 1\ndata: {"a":1}\n\ndata: two\ndata: lines\n\nevent: bare\ndata: \n\n:\n\n',
    ),
  ).toBe(true);
  controller.abort();
  await reading;
  await until(() => server.stats().active === 0);
});

test("main does not block while it serves, and may again afterwards", async () => {
  const server = await start("context-vars.ts");
  expect(() => new SyncFuture<number>().result(10)).toThrow(BlockingNotAllowedError);
  await server.close();
  expect(() => new SyncFuture<number>().result(10)).toThrow(/not done/);
});

test("the request threads' pool is a manager in the tree, with its task type", async () => {
  const server = await start("context-vars.ts");
  const tree = JSON.stringify(await server.managers());
  expect(tree).toContain("request-handling");
  expect(tree).toContain("request-1");
  // A second server in a process has a number behind its pool's id.
  const running = ThreadPoolManager.allInstances().filter(({ state }) => state === "running");
  expect(running.map(({ taskType }) => taskType)).toEqual(["request-handling"]);
  expect(String(running[0]?.id)).toMatch(/^request-handling(-\d+)?$/);
});
