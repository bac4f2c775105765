/** The README's first app, word by word: its commands and its file, in an empty folder. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";

const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
const [, section = ""] = /\n## A first app in five minutes\n([\s\S]*?)\n## /.exec(readme) ?? [];
const fences = [...section.matchAll(/```(\w+)[^\n]*\n([\s\S]*?)```/g)].map(([, language, text]) => ({
  language,
  text,
}));
const [install, serve, ask] = fences.filter(({ language }) => language === "sh").map(({ text = "" }) => text.trim());
const [, file = ""] = /Write `([^`]+)`/.exec(section) ?? [];
const code = fences.find(({ language }) => language === "ts")?.text ?? "";

/** The name of the package stands for the tarballs that are installed here: it is not at a registry yet. */
const manifest = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
const tarballs = [...manifest.matchAll(/"file:([^"]+\.tgz)"/g)].map(([, path]) => `'${path}'`);

// Not below the folder of these tests: nothing that is installed there may be found from here.
const folder = mkdtempSync(join(tmpdir(), "duck-ts-readme-"));
const { PORT: _port, HOST: _host, NODE_ENV: _mode, ...env } = process.env;
const sh = async (command: string): Promise<string> =>
  (await promisify(execFile)("sh", ["-ec", command], { cwd: folder, env })).stdout;

let server: ChildProcess;
let said = "";
let url = "";

beforeAll(async () => {
  await sh(
    (install ?? "")
      .replace("@duck-ts/server", tarballs.join(" "))
      .replace("npm install", "npm install --no-audit --prefer-offline"),
  );
  mkdirSync(dirname(join(folder, file)), { recursive: true });
  writeFileSync(join(folder, file), code);
  // A group of its own: npx passes no signal on that was sent to it alone.
  server = spawn("sh", ["-ec", serve ?? ""], { cwd: folder, env: { ...env, PORT: "0" }, detached: true });
  url = await new Promise<string>((resolve, reject) => {
    for (const stream of [server.stdout, server.stderr]) {
      stream?.on("data", (data: Buffer) => {
        said += String(data);
        const [, at] = /listens on (http:[^\s"]+)/.exec(said) ?? [];
        if (at !== undefined) resolve(at);
      });
    }
    server.once("close", (exit) => reject(new Error(`\`${serve}\` ended with ${exit}: ${said}`)));
  });
}, 60_000);

afterAll(async () => {
  if (server.exitCode === null) {
    process.kill(-(server.pid as number), "SIGTERM");
    await once(server, "close");
  }
  rmSync(folder, { recursive: true, force: true });
});

it("is three commands, one file and three requests", () => {
  expect(install?.split("\n")).toHaveLength(3);
  expect([file, serve]).toEqual(["src/app.ts", "npx duck-ts serve"]);
  expect(ask?.split("\n").map((line) => line.split(" ")[0])).toEqual(["curl", "curl", "curl"]);
});

it("answers what was asked with curl", async () => {
  const lines = (ask ?? "").replaceAll("http://127.0.0.1:8000", url).replaceAll("curl ", "curl -s ").split("\n");
  const [hello = "", hash = "", forever = ""] = lines;
  expect(JSON.parse(await sh(hello))).toEqual({ hello: "you", from: expect.stringMatching(/^request-\d+$/) });
  // A fifth of a second of work, for which its route gives two: too little where others take the whole machine.
  let answer = await sh(hash);
  for (let again = 0; again < 10 && answer.includes('"status":504'); again++) answer = await sh(hash);
  expect(JSON.parse(answer)).toEqual({ hash: expect.stringMatching(/^[0-9a-f]{64}$/) });
  expect(await sh(forever)).toMatch(/^HTTP\/1\.1 504 Gateway Timeout[\s\S]*application\/problem\+json/);
}, 60_000);

it("lists its routes", async () => {
  const table = await sh("npx duck-ts routes");
  for (const path of ["/hello/:name", "/hash", "/forever"]) expect(table).toContain(path);
});
