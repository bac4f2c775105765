import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { Command } from "../../packages/server/test/support/command.ts";
import { appCopy } from "./app-copy.ts";

const app = appCopy("typescript");
const command = new Command(app.folder, ["serve", "--port", "0"], {}, { keep: true });
let url = "";

beforeAll(async () => {
  url = await command.url();
});
afterAll(async () => {
  command.child.kill("SIGTERM");
  expect(await command.exited).toBe(0);
  expect(command.lines.some((line) => line.msg === "the shelf is closed")).toBe(true);
  app.remove();
});

const json = async (path: string): Promise<unknown> => (await fetch(url + path)).json();
const order = (body: string, headers: Record<string, string> = { "x-customer": "ada" }): Promise<Response> =>
  fetch(`${url}/orders`, { method: "POST", body, headers: { "content-type": "application/json", ...headers } });

/** A client that collects what it hears; `closed` resolves with the code. */
async function talk(
  room: string,
): Promise<{ socket: WebSocket; heard(count: number): Promise<string[]>; closed: Promise<number> }> {
  const socket = new WebSocket(`${url.replace("http", "ws")}/talk/${room}`);
  const texts: string[] = [];
  let more = (): void => {};
  socket.on("message", (data) => {
    texts.push(String(data));
    more();
  });
  const closed = new Promise<number>((resolve) => socket.on("close", resolve));
  await new Promise((resolve, reject) => socket.on("open", resolve).on("error", reject));
  const heard = async (count: number): Promise<string[]> => {
    while (texts.length < count) {
      await new Promise<void>((resolve) => {
        more = resolve;
      });
    }
    return texts;
  };
  return { socket, heard, closed };
}

describe("an app in TypeScript with paths, schemas, plugins and a socket, as a user of the packages runs it", () => {
  it("awaits a guarded task, blocks on one, and is refused without the task type", async () => {
    expect(await json("/price/duck?count=3")).toEqual({ price: 12 });
    expect(await json("/price-blocking/duck")).toEqual({ price: 4 });
    expect((await fetch(`${url}/price-unguarded/duck`)).status).toBe(500);
    await expect.poll(() => JSON.stringify(command.lines)).toContain("UnknownAsyncTaskError");
  });

  it("shows the .ts lines of the task and of the handler that had submitted it", async () => {
    for (const path of ["/price/nothing", "/price-blocking/nothing"]) {
      const id = path.slice(1).replace("/", "-");
      expect((await fetch(url + path, { headers: { "x-request-id": id } })).status).toBe(500);
      const logged = (): string =>
        JSON.stringify(command.lines.filter(({ requestId, msg }) => requestId === id && msg === "A handler failed"));
      await expect.poll(logged).toContain(`${join(app.folder, "src/lib/price.ts")}:4:`);
      expect(logged()).toContain(`${join(app.folder, "src/app.ts")}:`);
    }
  });

  it("checks bodies, headers, queries and its own answers", async () => {
    const good = await order('{"item":"duck","count":2}');
    expect([good.status, await good.json()]).toEqual([201, { left: 1, customer: "ada" }]);
    const bad = await order('{"item":"","count":1.5}', {});
    const { details } = (await bad.json()) as { details: { issues: { in: string; path: string[] }[] } };
    expect([bad.status, details.issues.map((issue) => [issue.in, ...issue.path].join("."))]).toEqual([
      400,
      ["headers.x-customer", "body.item", "body.count"],
    ]);
    expect((await order("{")).status).toBe(400);
    expect((await order(`{"item":"${"x".repeat(10_000)}"}`)).status).toBe(413);
    expect((await fetch(`${url}/price/duck?count=many`)).status).toBe(400);
    expect((await fetch(`${url}/wrong-answer`)).status).toBe(500);
  });

  it("answers an error as its onError says", async () => {
    const refused = await order('{"item":"duck","count":9}');
    expect([refused.status, await refused.json()]).toEqual([
      409,
      expect.objectContaining({ detail: "There are not 9 of duck" }),
    ]);
  });

  it("has its plugins on main and in the threads", async () => {
    const about = await fetch(`${url}/about`);
    expect([about.headers.get("x-served-by"), await about.json()]).toEqual(["2 threads", { plugin: "stamp" }]);
    expect((await fetch(`${url}/price/duck`)).headers.get("x-served-by")).toBe("2 threads");
  });

  it("talks over a socket, closes it when its thread ends, and takes the next one", async () => {
    const first = await talk("blue%20room");
    first.socket.send("quack");
    expect(await first.heard(2)).toEqual(["welcome to blue room", "1: quack"]);
    first.socket.send("exit");
    expect(await first.closed).toBe(1012);
    const second = await talk("red");
    expect(await second.heard(1)).toEqual(["welcome to red"]);
    second.socket.close();
    expect(await second.closed).toBe(1005);
  });

  it("gives the plugin's loop back to the thread that replaces a terminated one", async () => {
    expect((await fetch(`${url}/forever`)).status).toBe(504);
    const prices = await Promise.all(Array.from({ length: 8 }, () => json("/price/duck")));
    expect(prices).toEqual(Array.from({ length: 8 }, () => ({ price: 4 })));
  });

  it("takes fresh code on SIGHUP, that of tasks and plugins' worker modules too", async () => {
    const change = (name: string, from: string, to: string): void => {
      const file = join(app.folder, name);
      const text = readFileSync(file, "utf8");
      expect(text).toContain(from);
      writeFileSync(file, text.replace(from, to));
    };
    change("src/lib/price.ts", "item.length * count", "1000 + item.length * count");
    change("src/stock/shelf.ts", '"duck", 3', '"duck", 30');
    command.child.kill("SIGHUP");
    await command.said(/^Reloaded/);
    expect(await json("/price/duck")).toEqual({ price: 1004 });
    expect(await (await order('{"item":"duck","count":9}')).json()).toMatchObject({ left: 21 });
  });
});
