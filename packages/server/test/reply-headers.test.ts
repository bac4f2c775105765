/** Headers of replies as bytes on the wire. All of it was found by `pnpm fuzz`. */
import { createServer, definePlugin } from "@duck-ts/server";
import { expect, onTestFinished, test } from "vitest";
import { appFolder } from "./support/command.ts";
import { raw } from "./support/server.ts";

const app = `
import { defineApp, get, reply } from "@duck-ts/server";
export default defineApp({ routes: [
  get("/latin", () => reply(200, "text", { "x-name": "caf\\u00e9" })),
  get("/repeated", () => reply(200, "text", [["link", "<a>"], ["x-e", ""], ["link", "<b>"], ["x-e", ""]])),
  get("/typed", ({ url }) => reply(200, { a: 1 }, { "content-type": decodeURIComponent(url.split("?")[1] ?? "") })),
  get("/bare", () => new Response(new TextEncoder().encode("bare"))),
  get("/named", () => reply(200, "text", [["x-a", "content-type"], ["x-b", "c"]])),
] });`;
const hook = definePlugin({ name: "hook", server: (fastify) => void fastify.addHook("onSend", async () => undefined) });

test.each([
  ["straight", []],
  ["through a plugin's hook", [hook]],
])(
  "%s: header values above ASCII are the same bytes whatever the body is, a value is never taken for a name, and no line is lost",
  async (_how, plugins) => {
    const server = await createServer(
      { app: "./app.ts", plugins, server: { port: 0 }, requestHandling: { maxWorkers: 1 }, log: { level: "silent" } },
      { root: appFolder({ "app.ts": app }) },
    );
    onTestFinished(async () => void (await server.close()));
    const port = Number(new URL(await server.listen()).port);
    const get = (path: string): Promise<string> =>
      raw(port, `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    // raw() reads latin1: in UTF-8 this would be two characters.
    expect(await get("/latin")).toMatch(/\r\nx-name: caf\u00e9\r\n[\s\S]*\r\n\r\ntext$/);
    const repeated = await get("/repeated");
    expect(repeated.match(/\r\nlink: .*/g)).toEqual(["\r\nlink: <a>", "\r\nlink: <b>"]);
    expect(repeated.match(/\r\nx-e: ?(?=\r)/g)).toHaveLength(2);
    expect(await get("/named")).toContain("\r\ncontent-type: text/plain; charset=utf-8\r\n");
    // Told as it happened: behind a hook Fastify added a charset that application/vnd.api+json does not have.
    for (const type of [
      "application/vnd.api+json",
      "Application/JSON",
      'application/ld+json;profile="a"',
      "text/csv",
    ]) {
      const answer = await get(`/typed?${encodeURIComponent(type)}`);
      expect(answer).toContain(`\r\ncontent-type: ${type}\r\n`);
      expect(answer).toMatch(/\r\ncontent-length: 7\r\n[\s\S]*\r\n\r\n\{"a":1\}$/);
    }
    const bare = await get("/bare");
    expect(bare).toMatch(/\r\ncontent-length: 4\r\n[\s\S]*\r\n\r\nbare$/);
    expect(bare).not.toContain("content-type");
  },
);
