import { once } from "node:events";
import { readdirSync } from "node:fs";
import { createServer } from "node:net";
import { describe, expect, it } from "vitest";
import { appFolder, Command } from "./support/command.ts";
import { write } from "./support/temporary-folder.ts";

const app = (routes: string, rest = ""): string =>
  `import { defineApp, get } from "@duck-ts/server";\nexport default defineApp({ routes: [${routes}], ${rest} });\n`;

const hello = { "src/app.ts": app(`get("/hello/:name", ({ params }) => ({ hello: params.name as string }))`) };

const serve = (folder: string, ...argv: string[]): Command => new Command(folder, ["serve", "--port", "0", ...argv]);

/** An app with a manager in its request thread and one on main, whose tasks wait for a file. */
const managing = (server = "{}"): string =>
  appFolder({
    "src/tasks.mjs": `import { existsSync, writeFileSync } from "node:fs";
      import { task } from "@duck-ts/server";
      const cell = new Int32Array(new SharedArrayBuffer(4));
      export const held = task((name) => {
        writeFileSync("began-" + name, "");
        while (!existsSync("go")) Atomics.wait(cell, 0, 0, 10);
        writeFileSync("done-" + name, "");
      });`,
    "src/app.ts": `import { defineApp, get, getOrCreateThreadManager } from "@duck-ts/server";
      import { held } from "./tasks.mjs";
      let stopped = () => {};
      export default defineApp({
        routes: [get("/hold", ({ log }) => {
          stopped = () => log.info("onWorkerStop");
          const pool = getOrCreateThreadManager("of-the-thread");
          pool.start({ maxWorkers: 1, daemon: false });
          for (const n of [1, 2]) pool.submitTask(held("request-" + n));
          return "held";
        })],
        onWorkerStop() { stopped(); },
      });`,
    "duck.config.mjs": `import { getOrCreateThreadManager } from "@duck-ts/server";
      import { held } from "./src/tasks.mjs";
      export default { server: ${server}, requestHandling: { maxWorkers: 1 }, plugins: [{ name: "on-main", server(fastify) {
        const pool = getOrCreateThreadManager("of-main");
        pool.start({ maxWorkers: 1, daemon: false });
        fastify.get("/hold-main", () => {
          for (const n of [1, 2]) pool.submitTask(held("main-" + n));
          return "held";
        });
      } }] };`,
  });

/** Serves that app until both managers hold a task that runs, and one that is queued. */
async function holding(folder: string): Promise<{ command: Command; url: string }> {
  const command = serve(folder);
  const url = await command.url();
  for (const path of ["/hold", "/hold-main"]) expect(await (await fetch(url + path)).text()).toBe("held");
  const began = (): number => readdirSync(folder).filter((name) => name.startsWith("began-")).length;
  while (began() < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  return { command, url };
}

describe("duck-ts serve, a process of its own", () => {
  it("runs a TypeScript app with no build step, and exits 0 on SIGTERM", async () => {
    const command = serve(appFolder(hello));
    const response = await fetch(`${await command.url()}/hello/you`);
    expect(await response.json()).toEqual({ hello: "you" });
    command.child.kill("SIGTERM");
    expect(await command.exited).toBe(0);
    expect(command.stderr).toBe("");
  });

  // As with Ctrl-C below `duck-ts serve | pino-pretty`: the reader of the output ends first.
  it("finishes what is running also where nobody reads its output any more", async () => {
    const slow = `get("/slow", async ({ log }) => {
      log.info("begun");
      await new Promise((resolve) => setTimeout(resolve, 300));
      return "done";
    })`;
    const command = serve(appFolder({ "src/app.ts": app(slow) }));
    const answer = fetch(`${await command.url()}/slow`).then((response) => response.text());
    await command.said(/^begun$/);
    command.child.stdout?.destroy();
    command.child.kill("SIGTERM");
    expect(await answer).toBe("done");
    expect(await command.exited).toBe(0);
    expect(command.stderr).toBe("");
  });

  it("takes its settings from file, flags and environment in their order", async () => {
    const folder = appFolder({
      "app/main.ts": hello["src/app.ts"],
      "duck.config.ts": `import { defineConfig } from "@duck-ts/server";
        export default defineConfig({ app: "./app/main.ts", server: { host: "127.0.0.2" }, requestHandling: { maxWorkers: 1 } });`,
      ".env": "HOST=127.0.0.3",
    });
    const command = serve(folder, "--workers", "2");
    expect(await command.url()).toMatch(/^http:\/\/127\.0\.0\.3:\d+$/);
    expect(await command.said(/listens on/)).toMatchObject({ workers: 2, routes: 1 });
  });

  it("finishes what is running when it is asked to end", async () => {
    const command = serve(
      appFolder({
        "src/app.ts": app(
          `get("/slow", ({ log }) => { log.info("begun"); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300); return "done"; })`,
        ),
      }),
    );
    const answer = fetch(`${await command.url()}/slow`).then((response) => response.text());
    await command.said(/^begun$/);
    command.child.kill("SIGINT");
    expect(await answer).toBe("done");
    expect(await command.exited).toBe(0);
  });

  it("ends at once on a second signal", async () => {
    const command = serve(
      appFolder({ "src/app.ts": app(`get("/forever", ({ log }) => { log.info("begun"); for (;;); })`) }),
    );
    const answer = fetch(`${await command.url()}/forever`).catch(() => "cut off");
    await command.said(/^begun$/);
    command.child.kill("SIGTERM");
    await command.said(/^SIGTERM: finishing/);
    // Later than what is taken for one key press.
    const first = Date.now();
    while (Date.now() - first < 80) await new Promise((resolve) => setImmediate(resolve));
    command.child.kill("SIGTERM");
    expect(await command.exited).toBe(143);
    expect(await answer).toBe("cut off");
  });

  it("stops the managers of its threads and of main on SIGTERM: what had been given to them is done, and the code is 0", async () => {
    const folder = managing();
    const { command, url } = await holding(folder);
    command.child.kill("SIGTERM");
    await command.said(/^SIGTERM: finishing/);
    await command.said(/^onWorkerStop$/);
    // The request thread is on its way out, and nobody awaits these tasks: two of them run, two are queued.
    expect(readdirSync(folder).filter((name) => name.startsWith("done-"))).toEqual([]);
    write(folder, { go: "" });
    expect(await command.exited).toBe(0);
    const done = readdirSync(folder).filter((name) => name.startsWith("done-"));
    expect(done.sort()).toEqual(["done-main-1", "done-main-2", "done-request-1", "done-request-2"]);
    expect(command.lines.filter((line) => line.msg === "onWorkerStop")).toHaveLength(1);
    expect(command.stderr).toBe("");
    await expect(fetch(url)).rejects.toThrow();
  });

  it("exits 1 when tasks of its managers had to be given up at shutdownTimeoutMs", async () => {
    const folder = managing("{ shutdownTimeoutMs: 400 }");
    const { command } = await holding(folder);
    command.child.kill("SIGTERM");
    expect(await command.exited).toBe(1);
    await command.said(/^Not all was finished after 400 ms/);
    expect(readdirSync(folder).filter((name) => name.startsWith("done-"))).toEqual([]);
  });

  it("leaves the tasks of its managers at a second signal, and says so by its code", async () => {
    const folder = managing();
    const { command } = await holding(folder);
    command.child.kill("SIGTERM");
    await command.said(/^SIGTERM: finishing/);
    // Later than what is taken for one key press.
    const first = Date.now();
    while (Date.now() - first < 80) await new Promise((resolve) => setImmediate(resolve));
    command.child.kill("SIGINT");
    expect(await command.exited).toBe(130);
    expect(readdirSync(folder).filter((name) => name.startsWith("done-"))).toEqual([]);
  });

  it("exits 1 when requests had to be cut off at shutdownTimeoutMs", async () => {
    const folder = appFolder({
      "src/app.ts": app(`get("/forever", ({ log }) => { log.info("begun"); for (;;); })`),
      "duck.config.ts": "export default { server: { shutdownTimeoutMs: 100 } }",
    });
    const command = serve(folder);
    const answer = fetch(`${await command.url()}/forever`).catch(() => undefined);
    await command.said(/^begun$/);
    command.child.kill("SIGTERM");
    expect(await command.exited).toBe(1);
    await answer;
  });

  it("takes fresh code on SIGHUP, and keeps the old when the fresh does not start", async () => {
    const folder = appFolder({ "src/app.ts": app(`get("/", () => "one")`) });
    const command = serve(folder);
    const url = await command.url();
    const text = async (): Promise<string> => (await fetch(url)).text();
    expect(await text()).toBe("one");

    write(folder, { "src/app.ts": app(`get("/", () => "two")`) });
    command.child.kill("SIGHUP");
    await command.said(/^Reloaded/);
    expect(await text()).toBe("two");

    write(folder, { "src/app.ts": "export default {" });
    command.child.kill("SIGHUP");
    expect(String((await command.said(/the old goes on/)).msg)).toContain("src/app.ts:1:17: Expected identifier");
    expect(await text()).toBe("two");
  });

  it.each([
    ["production", { detail: "The server failed." }],
    ["development", { detail: "a secret", stack: expect.stringContaining("src/app.ts:2:") }],
  ])("tells the client of a 500 in %s what it may know", async (mode, expected) => {
    const files = { "src/app.ts": app(`get("/", () => { throw new Error("a secret"); })`) };
    const command = new Command(appFolder(files), ["serve", "--port", "0"], { NODE_ENV: mode });
    const {
      type: _type,
      title: _title,
      status,
      requestId: _id,
      ...rest
    } = (await (await fetch(await command.url())).json()) as Record<string, unknown>;
    expect([status, rest]).toEqual([500, expected]);
  });

  it("takes --config, --host and --log-level", async () => {
    const folder = appFolder({
      "src/app.ts": app(`get("/", ({ log }) => { log.debug("in detail"); return "x"; })`),
      "deploy/live.config.mjs": `export default { app: "../src/app.ts", log: { level: "error" } }`,
    });
    const argv = ["--config", "deploy/live.config.mjs", "--host", "127.0.0.4", "--log-level", "debug"];
    const command = serve(folder, ...argv);
    expect(await command.url()).toMatch(/^http:\/\/127\.0\.0\.4:/);
    await fetch(await command.url());
    expect(await command.said(/^in detail$/)).toMatchObject({ level: 20 });
  });

  it("names the .ts line where a handler declares a task", async () => {
    const folder = appFolder({
      "src/app.ts": `import { defineApp, get, task } from "@duck-ts/server";

        export default defineApp({ routes: [get("/", function declares() {
          return task((n: number): number => n)(1).run();
        })] });`,
    });
    const command = serve(folder);
    expect((await fetch(await command.url())).status).toBe(500);
    const { err } = (await command.said(/handler failed/)) as { err: { message: string } };
    expect(err.message).toMatch(
      /inside the function declares \(\S*src\/app\.ts:4:18\), where no other thread can find it/,
    );
  });

  it("shows .ts lines in the stack of a failing handler", async () => {
    const command = serve(appFolder({ "src/app.ts": app(`get("/", () => {\n  throw new Error("here");\n})`) }));
    expect((await fetch(await command.url())).status).toBe(500);
    const { err } = (await command.said(/handler failed/)) as { err: { stack: string } };
    expect(err.stack).toContain("src/app.ts:3:9");
  });
});

describe("duck-ts, a process of its own", () => {
  it.each<[string, string[], number, RegExp, RegExp]>([
    ["its version", ["--version"], 0, /^\d+\.\d+\.\d+\S*\n$/, /^$/],
    ["what it can do", ["--help"], 0, /duck-ts serve[\s\S]*duck-ts routes/, /^$/],
    ["what serve can be told", ["serve", "--help"], 0, /--config[\s\S]*--workers[\s\S]*--log-level/, /^$/],
    ["the app's routes", ["routes"], 0, /^GET {2}\/hello\/:name\n$/, /^$/],
    ["that there is no such command", ["sreve"], 2, /^$/, /^duck-ts: There is no command "sreve"/],
    ["that there is no such option", ["serve", "--prot", "1"], 2, /^$/, /^duck-ts: There is no option "--prot"/],
  ])("says %s", async (_what, argv, code, stdout, stderr) => {
    const command = new Command(appFolder(hello), argv);
    expect(await command.exited).toBe(code);
    expect(command.lines.map(({ msg }) => `${msg}\n`).join("")).toMatch(stdout);
    expect(command.stderr).toMatch(stderr);
  });
});

describe("a start that fails is one message and a code, never a hang", () => {
  it("when Node is too old", async () => {
    const older = "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.18.3' } })";
    const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(older)}` };
    const command = new Command(appFolder(hello), ["serve"], env);
    expect(await command.exited).toBe(1);
    expect(command.stderr).toMatch(/^duck-ts: needs Node\.js 20\.19 or newer; this is 20\.18\.3, /);
  });

  it("and of a stack it shows what is the user's", async () => {
    const files = {
      "src/app.ts": "function connect() {\n  throw new Error('no database');\n}\nconnect();\nexport default {};",
    };
    const command = new Command(appFolder(files), ["routes"]);
    expect(await command.exited).toBe(1);
    const [, , said, ...frames] = command.stderr.trimEnd().split("\n");
    expect(said).toBe("Error: no database");
    expect(frames.map((line) => /app\.ts:\d+:\d+/.exec(line)?.[0])).toEqual(["app.ts:2:9", "app.ts:4:1"]);
  });

  it("when the port is taken", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as { port: number };
    const command = new Command(appFolder(hello), ["serve", "--port", String(port)]);
    expect(await command.exited).toBe(1);
    expect(command.stderr).toBe(
      `duck-ts: Cannot listen on 127.0.0.1:${port}: something else does already. Stop it, or choose another with --port.\n`,
    );
    other.close();
  });

  it.each<[string, number, Record<string, string>, RegExp]>([
    ["there is no app", 2, {}, /app: found nothing, expected the file of the app's module/],
    [
      "a setting is unknown",
      2,
      { ...hello, "duck.config.ts": "export default { prot: 1 }" },
      /prot: found 1, expected no setting of this name/,
    ],
    ["the app does not compile", 1, { "src/app.ts": "export default {" }, /src\/app\.ts:1:17: Expected identifier/],
    [
      "the app has no default export",
      1,
      { "src/app.ts": "export const app = 1" },
      /src\/app\.ts has no default export/,
    ],
    [
      "the app's default export is no app",
      1,
      { "src/app.ts": "export default 5" },
      /The default export is 5; expected defineApp/,
    ],
    [
      "the app throws on import",
      1,
      { "src/app.ts": "\nthrow new Error('no database');\nexport default {};" },
      /no database[\s\S]*src\/app\.ts:2:7/,
    ],
    [
      "the app throws what is no error on import",
      1,
      { "src/app.ts": "throw 'no database'; export default {};" },
      /could not start: its start threw 'no database', which is no Error\n/,
    ],
    ["the app ends its thread on import", 1, { "src/app.ts": "process.exit(7); export default {};" }, /\S/],
    [
      "a thread cannot start",
      1,
      { "src/app.ts": app("", "onWorkerStart() { throw new Error('no licence'); }") },
      /no licence[\s\S]*src\/app\.ts:2/,
    ],
    [
      "a plugin throws on main",
      1,
      {
        ...hello,
        "duck.config.ts": "export default { plugins: [{ name: 'p', server() { throw new Error('no plugin'); } }] }",
      },
      /no plugin/,
    ],
  ])("when %s", async (_name, code, files, message) => {
    const command = serve(appFolder(files));
    expect(await command.exited).toBe(code);
    expect(command.stderr).toMatch(/^duck-ts: /);
    expect(command.stderr.match(/^duck-ts: /gm)).toHaveLength(1);
    expect(command.stderr).toMatch(message);
    // Stacks lead to the user's own code; this project's are left out.
    expect(command.stderr).not.toMatch(/packages\/(server|managers|runtime)\/|tinypool|node:internal/);
  });
});
