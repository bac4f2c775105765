import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Command } from "../../packages/server/test/support/command.ts";
import { appCopy } from "./app-copy.ts";

const app = appCopy("hono");
const command = new Command(app.folder, ["serve", "--port", "0"], {}, { keep: true });
let url = "";

beforeAll(async () => {
  url = await command.url();
});
afterAll(async () => {
  command.child.kill("SIGTERM");
  expect(await command.exited).toBe(0);
  app.remove();
});

const status = async (path: string, init: RequestInit = {}): Promise<number> => (await fetch(url + path, init)).status;

describe("an unmodified Hono app, as a user of the packages runs it", () => {
  it("has its middleware: request ids, CORS, security headers, compression, ETags, passwords", async () => {
    const { headers } = await fetch(url, { headers: { "x-request-id": "mine-1" } });
    expect(headers.get("x-request-id")).toBe("mine-1");
    expect(headers.get("access-control-allow-origin")).toBe("*");
    expect(headers.get("x-frame-options")).toBe("SAMEORIGIN");
    const preflight = await fetch(url, { method: "OPTIONS", headers: { "access-control-request-method": "PUT" } });
    expect([preflight.status, preflight.headers.get("access-control-allow-methods")]).toEqual([
      204,
      expect.stringContaining("PUT"),
    ]);
    const large = await fetch(`${url}/large`, { headers: { "accept-encoding": "gzip" } });
    expect([large.headers.get("content-encoding"), (await large.text()).length]).toEqual(["gzip", 100_000]);
    const tag = (await fetch(`${url}/same`)).headers.get("etag") as string;
    expect(await status("/same", { headers: { "if-none-match": tag } })).toBe(304);
    expect(await status("/admin/page")).toBe(401);
    const authorization = `Basic ${Buffer.from("ada:secret").toString("base64")}`;
    expect(await status("/admin/page", { headers: { authorization } })).toBe(200);
  });

  it("keeps its cookies apart, and reads back the one that it signed", async () => {
    const first = await fetch(`${url}/cookies`);
    const cookies = first.headers.getSetCookie();
    expect(cookies.map((cookie) => cookie.split("=")[0])).toEqual(["a", "signed", "old"]);
    const cookie = cookies.map((one) => one.split(";")[0]).join("; ");
    const second = await fetch(`${url}/cookies`, { headers: { cookie } });
    expect(await second.json()).toMatchObject({ had: { a: "1" }, signed: "value" });
  });

  it("redirects, answers HEAD, methods of its own, and paths that it does not have", async () => {
    const moved = await fetch(`${url}/redirect`, { redirect: "manual" });
    expect([moved.status, moved.headers.get("location")]).toEqual([308, "/"]);
    const head = await fetch(`${url}/stream`, { method: "HEAD" });
    expect([head.status, await head.text()]).toEqual([200, ""]);
    expect(await (await fetch(`${url}/cache`, { method: "PURGE" })).text()).toBe("purged");
    const none = await fetch(`${url}/a//b`);
    expect([none.status, await none.json()]).toEqual([404, { nothing: "/a//b" }]);
  });

  it("streams, and hears that a listener has left", async () => {
    expect(await (await fetch(`${url}/stream`)).text()).toBe("one\ntwo\nthree\n");
    const leave = new AbortController();
    const events = await fetch(`${url}/events`, { signal: leave.signal });
    const { value } = (await events.body?.getReader().read()) ?? {};
    expect(new TextDecoder().decode(value)).toContain("event: tick\n");
    leave.abort();
    await command.said(/^the listener has left$/);
  });

  it("takes forms with files, and large uploads", async () => {
    const form = new FormData();
    form.set("name", "ada");
    form.set("file", new Blob(["x".repeat(5000)]), "x.txt");
    expect(await (await fetch(`${url}/form`, { method: "POST", body: form })).json()).toEqual({
      name: "ada",
      size: 5000,
    });
    const upload = await fetch(`${url}/upload`, { method: "POST", body: new Uint8Array(20_000_000) });
    expect(await upload.json()).toEqual({ bytes: 20_000_000 });
  });

  it("fails as it says, and tells nobody its secrets", async () => {
    const forbidden = await fetch(`${url}/forbidden`);
    expect([forbidden.status, await forbidden.text()]).toEqual([403, "not you"]);
    const boom = await fetch(`${url}/boom`);
    expect([boom.status, await boom.text()]).toEqual([500, expect.not.stringContaining("secret")]);
  });

  it("goes on while a handler never ends and others end their threads", async () => {
    const forever = status("/forever");
    for (let i = 0; i < 3; i++) expect(await status("/")).toBe(200);
    expect(await status("/exit", { method: "POST" })).toBe(502);
    expect(await status("/")).toBe(200);
    expect(await forever).toBe(504);
  });
});
