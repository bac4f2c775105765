/** A streamed answer that breaks off: what was yielded before reaches the client, and the answer does not look complete. */
import { definePlugin } from "@duck-ts/server";
import { expect, test } from "vitest";
import { answerOf, certificate, session } from "./support/http2.ts";
import { raw, start } from "./support/server.ts";

const hook = definePlugin({ name: "hook", server: (fastify) => void fastify.addHook("onSend", async () => undefined) });
const small = Array.from({ length: 50 }, (_, i) => `piece ${i}\n`).join("");
const large = Array.from({ length: 50 }, (_, i) => `${i % 10}`.repeat(60_000)).join("");

const kinds = ["at-once", "in-turns", "in-bytes", "large"];
const paths = ["pool", "main"].flatMap((where) => kinds.map((kind) => `/${where}/${kind}`));
const whole = (path: string): string => (path.endsWith("large") ? large : small);

/** What a chunked body holds, as far as it has come. */
function unchunked(answer: string): string {
  let rest = answer.slice(answer.indexOf("\r\n\r\n") + 4);
  let body = "";
  for (let end = rest.indexOf("\r\n"); end !== -1; end = rest.indexOf("\r\n")) {
    const length = Number.parseInt(rest.slice(0, end), 16);
    expect(length).toBeGreaterThan(0); // a chunk of nothing would be its end
    body += rest.slice(end + 2, end + 2 + length);
    rest = rest.slice(end + 4 + length);
  }
  return body;
}

test.each([
  ["straight", []],
  ["through a plugin's hook", [hook]],
])("what was yielded before a generator threw reaches the client (%s)", async (_how, plugins) => {
  const server = await start("breaks-off.ts", { plugins });
  for (const path of paths) {
    const body = unchunked(await raw(server.port, `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`, 5000));
    expect([path, body === whole(path), body.length]).toEqual([path, true, whole(path).length]);
  }
});

test("the same over HTTP/2, where the stream is reset behind it", async () => {
  const server = await start("breaks-off.ts", { server: { https: certificate, http2: true } });
  const client = await session(server.at);
  for (const path of paths) {
    const { body, code } = await answerOf(client.request({ ":path": path }));
    expect([path, code, body === whole(path), body.length]).toEqual([path, 2, true, whole(path).length]);
  }
});
