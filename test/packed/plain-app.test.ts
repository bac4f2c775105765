import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Command } from "../../packages/server/test/support/command.ts";
import { appCopy } from "./app-copy.ts";

const app = appCopy("plain");
const command = new Command(app.folder, ["serve", "--port", "0"], { NOTES: join(app.folder, "notes") }, { keep: true });
let url = "";

beforeAll(async () => {
  url = await command.url();
});
afterAll(async () => {
  command.child.kill("SIGTERM");
  expect(await command.exited).toBe(0);
  app.remove();
});

const put = (path: string, body: string | Uint8Array<ArrayBuffer>, type = "text/plain"): Promise<Response> =>
  fetch(url + path, { method: "PUT", body, headers: { "content-type": type } });

describe("an app in plain JavaScript, as a user of the packages runs it", () => {
  it("logs in with a form, a redirect and cookies", async () => {
    const form = new URLSearchParams({ user: "ada; drop" });
    const login = await fetch(`${url}/login`, { method: "POST", body: form, redirect: "manual" });
    expect([login.status, login.headers.get("location"), await login.text()]).toEqual([303, "/", ""]);
    const [user = "", theme] = login.headers.getSetCookie();
    expect([user, theme]).toEqual(["user=ada%3B%20drop; Max-Age=3600; Path=/; SameSite=Lax; HttpOnly", "theme=dark"]);
    const home = await fetch(url, { headers: { cookie: user.split(";")[0] as string } });
    expect([home.headers.get("content-type"), await home.text()]).toEqual([
      "text/html; charset=utf-8",
      "<h1>Notes of ada; drop</h1>",
    ]);
  });

  it("writes, reads, lists and removes files with blocking calls", async () => {
    expect((await put("/notes/one", "grüße")).status).toBe(201);
    expect(await (await fetch(`${url}/notes/one`)).text()).toBe("grüße");
    expect(await (await fetch(`${url}/old-notes`)).json()).toContain("one.txt");
    const head = await fetch(`${url}/notes/one`, { method: "HEAD" });
    expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, "7", ""]);
    const file = await fetch(`${url}/download/one`);
    expect([file.headers.get("content-type"), await file.text()]).toEqual(["text/markdown", "grüße"]);
    expect((await fetch(`${url}/notes/one`, { method: "DELETE" })).status).toBe(204);
    expect((await fetch(`${url}/notes/one`)).status).toBe(404);
  });

  it("says what a path can do", async () => {
    const options = await fetch(`${url}/notes/one`, { method: "OPTIONS" });
    expect([options.status, options.headers.get("allow")]).toEqual([204, "DELETE, GET, HEAD, OPTIONS, PUT"]);
    expect((await fetch(`${url}/notes/one`, { method: "PATCH" })).status).toBe(405);
  });

  it("explains what the client did wrong, and keeps to itself what went wrong here", async () => {
    const bad = await fetch(`${url}/notes/..%2Fapp`);
    expect([bad.status, await bad.json()]).toEqual([400, expect.objectContaining({ details: { name: "../app" } })]);
    // The file of a stream is opened after the handler has returned it.
    for (const path of ["/download/none", "/login"]) {
      const failed = await fetch(url + path, { method: path === "/login" ? "POST" : "GET" });
      expect([failed.status, await failed.text()]).toEqual([500, expect.stringContaining("The server failed.")]);
    }
    const logged = (): string => JSON.stringify(command.lines.filter(({ msg }) => msg === "A handler failed"));
    await expect.poll(logged).toContain("ENOENT");
    await expect.poll(logged).toContain(`${join(app.folder, "src/app.js")}:`);
  });

  it("streams a large upload to a file, and refuses one that is larger than its route allows", async () => {
    const whole = await put("/upload/large", new Uint8Array(20_000_000), "application/octet-stream");
    expect([whole.status, await whole.json()]).toEqual([200, { bytes: 20_000_000 }]);
    const larger = await put("/upload/larger", new Uint8Array(31_000_000), "application/octet-stream").catch(
      () => null,
    );
    // A client that is still sending when the connection ends may not get to read the answer.
    expect([413, undefined]).toContain(larger?.status);
    expect((await put("/notes/large", "x".repeat(1_048_577))).status).toBe(413);
  });

  it("outlives a handler that ends its thread", async () => {
    const answers = await Promise.all([1, 2, 3].map(() => fetch(`${url}/exit`, { method: "POST" })));
    expect(answers.map(({ status }) => status)).toEqual([502, 502, 502]);
    expect(await (await fetch(`${url}/version`)).text()).toBe("first");
  });

  it("takes fresh code on SIGHUP, from imported files too, and keeps the old where the fresh is broken", async () => {
    const file = join(app.folder, "src/app.js");
    const old = readFileSync(file, "utf8");
    writeFileSync(file, `${old}\nthis is no JavaScript`);
    command.child.kill("SIGHUP");
    await command.said(/^The fresh code cannot be used, the old goes on: [\s\S]*app\.js:/);
    expect(await (await fetch(`${url}/version`)).text()).toBe("first");
    writeFileSync(file, old.replace('"first"', '"second"'));
    const notes = join(app.folder, "src/notes.js");
    writeFileSync(notes, readFileSync(notes, "utf8").replace("return {", "return { fresh: true,"));
    command.child.kill("SIGHUP");
    await command.said(/^Reloaded/);
    expect(await (await fetch(`${url}/version`)).text()).toBe("second");
    expect(await (await put("/notes/again", "x")).json()).toEqual({ fresh: true, bytes: 1 });
  });
});
