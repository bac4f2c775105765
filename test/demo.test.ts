import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { Command } from "../packages/server/test/support/command.ts";

const folder = fileURLToPath(new URL("../apps/demo", import.meta.url));

/** The stops of the tour, as the demo's README lists them. */
const stops = [...readFileSync(`${folder}/README.md`, "utf8").matchAll(/^\| \[`([^`]+)`\]/gm)].map(
  ([, path]) => path as string,
);

let url = "";
let command: Command;

/** The tests' own guestbook: the one of whoever works on the demo is left alone. */
const data = mkdtempSync(join(tmpdir(), "demo-"));
const env = { DEMO_DATABASE: join(data, "guestbook.sqlite") };

beforeAll(async () => {
  command = new Command(folder, ["serve", "--port", "0"], env, { keep: true });
  url = await command.url();
  return async () => {
    command.child.kill("SIGTERM");
    expect(await command.exited).toBe(0);
    rmSync(data, { recursive: true, force: true });
  };
});

const post = (path: string, body?: unknown): Promise<Response> =>
  fetch(url + path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

describe("the demo", () => {
  it("has a tour of eleven stops, and the home page leads to each", async () => {
    expect(stops).toHaveLength(11);
    const home = await (await fetch(url)).text();
    for (const stop of stops) expect(home).toContain(`href="${stop}"`);
  });

  it.each(stops)("answers at %s", async (path) => {
    const response = await fetch(url + path);
    expect(response.status).toBe(200);
    const text = await response.text();
    if (path.startsWith("/hello")) expect(JSON.parse(text)).toMatchObject({ hello: "you" });
    else expect(text).toMatch(/^<!doctype html>[\s\S]*<h1>[\s\S]*Made by thread <b>request-\d+<\/b>/);
  });

  it("draws its image in the render loop, in PNG", async () => {
    const response = await fetch(`${url}/render/image.png?zoom=4`);
    expect(response.headers.get("content-type")).toBe("image/png");
    expect(
      Buffer.from(await response.arrayBuffer())
        .subarray(1, 4)
        .toString(),
    ).toBe("PNG");
  });

  it("goes nearer where the picture is clicked", async () => {
    const text = await (await fetch(`${url}/render?at.x=480&at.y=270`)).text();
    expect(text).toContain("x=-0.6&amp;y=0&amp;zoom=2.5");
  });

  it("keeps one guestbook for all threads, and refuses what zod refuses", async () => {
    const written = await post("/api/guestbook", { name: "Grace <b>", text: "Hello & goodbye" });
    expect(written.status).toBe(201);
    const seen = await Promise.all(Array.from({ length: 12 }, async () => (await fetch(`${url}/guestbook`)).text()));
    for (const text of seen) expect(text).toContain("<b>Grace &lt;b&gt;</b>");
    const refused = await post("/api/guestbook", { name: "", text: "no" });
    expect(refused.status).toBe(400);
    const { details } = (await refused.json()) as { details: { issues: { path: string[]; message: string }[] } };
    expect(details.issues.map(({ path, message }) => [path[0], message])).toEqual([
      ["name", "Who are you?"],
      ["text", "A little more, please"],
    ]);
  });

  it("takes an upload in chunks", async () => {
    const response = await fetch(`${url}/api/upload`, { method: "PUT", body: new Uint8Array(8_000_000) });
    const seen = (await response.json()) as { bytes: number; chunks: number; sha256: string };
    expect(seen).toMatchObject({
      bytes: 8_000_000,
      sha256: "6506614505e113daab08b3f894ca46d4d61867c7b007c413b47a669abe8aae67",
    });
    expect(seen.chunks).toBeGreaterThan(10);
  });

  it("streams its report, and every row of it", async () => {
    const response = await fetch(`${url}/report.csv`);
    expect(response.headers.get("content-type")).toContain("text/csv");
    expect((await response.text()).split("\n")).toHaveLength(100_002);
  });

  it("sends events, and notices that the listener has left", async () => {
    const leave = new AbortController();
    const response = await fetch(`${url}/api/events`, { signal: leave.signal });
    const reader = response.body?.getReader();
    const { value } = (await reader?.read()) ?? {};
    expect(new TextDecoder().decode(value)).toMatch(/^event: tick\ndata: \{"count":1,/);
    leave.abort();
    await command.said(/^the listener has left$/);
  });

  it("shows its managers under the threads that own them", async () => {
    const tree = await (await fetch(`${url}/api/threads.txt`)).text();
    expect(tree).toMatch(/^main /);
    expect(tree).toContain('loop "guestbook"');
    expect(tree).toContain('loop "render"');
    expect(tree).toContain('pool "request-handling"');
  });

  it("goes on answering while it misbehaves, and says of each misdeed what came of it", async () => {
    const deeds = { block: 200, loop: 504, regex: 504, throw: 500 };
    const outcomes = Promise.all(
      Object.entries(deeds).map(async ([deed, status]) => [
        deed,
        status,
        (await post(`/api/misbehave/${deed}`)).status,
      ]),
    );
    let done = false;
    void outcomes.finally(() => {
      done = true;
    });
    const health: number[] = [];
    while (!done) {
      health.push((await fetch(`${url}/healthz`)).status);
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (const [deed, expected, status] of await outcomes) expect([deed, status]).toEqual([deed, expected]);
    expect(new Set(health)).toEqual(new Set([200]));
    expect((await post("/api/misbehave/exit")).status).toBe(502);
    expect((await fetch(`${url}/api/ping`)).status).toBe(200);
  });
});
