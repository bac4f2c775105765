import { mkdtempSync, rmSync } from "node:fs";
import { isBuiltin } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { Command } from "../packages/server/test/support/command.ts";

const folder = fileURLToPath(new URL("../apps/demo", import.meta.url));
const data = mkdtempSync(join(tmpdir(), "demo-"));
const env = { DEMO_DATABASE: join(data, "guestbook.sqlite") };

let url = "";
let command: Command;

beforeAll(async () => {
  command = new Command(folder, ["serve", "--port", "0"], env, { keep: true });
  url = await command.url();
  return async () => {
    command.child.kill("SIGTERM");
    expect(await command.exited).toBe(0);
    rmSync(data, { recursive: true, force: true });
  };
});

const post = (path: string, body: unknown): Promise<Response> =>
  fetch(url + path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });

describe("the demo's libraries", () => {
  const keepsInSqlite = async (): Promise<void> => {
    expect(await (await fetch(`${url}/guestbook`)).text()).toContain("kept in an SQLite file, with node:sqlite");
    await post("/api/guestbook", { name: "Mary", text: "Written down" });
    const other = new Command(folder, ["serve", "--port", "0"], env);
    const seen = (await (await fetch(`${await other.url()}/api/guestbook`)).json()) as { name: string }[];
    expect(seen[0]).toMatchObject({ name: "Mary", text: "Written down" });
  };
  const saysThatThereIsNone = async (): Promise<void> => {
    expect(await (await fetch(`${url}/guestbook`)).text()).toMatch(
      /kept (in memory: Node \S+ has no node:sqlite|in an SQLite file, with better-sqlite3)/,
    );
  };
  // Each Node has one of the two.
  if (isBuiltin("node:sqlite")) it("keeps the guestbook in SQLite, where another process finds it", keepsInSqlite);
  else it("says so where there is no SQLite in Node", saysThatThereIsNone);

  it("renders its guide with preact, in the render loop, and escapes what was searched for", async () => {
    const found = await (await fetch(`${url}/guide?q=dives+crest`)).text();
    expect(found).toContain("1 duck, rendered by the loop <code>render</code>");
    expect(found).toContain("<h2>Tufted duck</h2>");
    expect(await (await fetch(`${url}/guide?q=%22%3E%3Cb%3E`)).text()).toContain(`value="&quot;>&lt;b>"`);
  });

  it("resizes an image with sharp, and says of anything else that it is none", async () => {
    const resize = (body: string | ArrayBuffer): Promise<Response> =>
      fetch(`${url}/api/image?width=320`, { method: "PUT", body, headers: { "content-type": "image/png" } });
    const response = await resize(await (await fetch(`${url}/render/image.png`)).arrayBuffer());
    expect(response.headers.get("content-type")).toBe("image/webp");
    const webp = Buffer.from(await response.arrayBuffer());
    expect(webp.toString("latin1", 8, 15)).toBe("WEBPVP8");
    // A lossy frame has its width and height, 14 bits each, at this place.
    expect([webp.readUInt16LE(26) & 0x3fff, webp.readUInt16LE(28) & 0x3fff]).toEqual([320, 180]);
    expect((await resize("no image")).status).toBe(415);
    expect((await resize("")).status).toBe(400);
  });

  it("hashes a password while its thread waits", async () => {
    const response = await post("/api/password", { password: "pond" });
    expect(await response.json()).toMatchObject({
      hash: expect.stringMatching(/^\$argon2id\$v=19\$m=65536,t=3,p=1\$/),
      verified: true,
      thread: expect.stringMatching(/^request-/),
    });
    expect((await post("/api/password", { password: "" })).status).toBe(400);
  });
});
