import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";
import { temporaryFolder } from "./temporary-folder.ts";

/** Where the package is: this one, or the one that is installed where these tests have been copied to. */
const server = dirname(createRequire(import.meta.url).resolve("@duck-ts/server/package.json"));
const zod = dirname(createRequire(join(server, "package.json")).resolve("zod/package.json"));

/** A folder with an app in it, where the built package is installed by a link. */
export function appFolder(files: Readonly<Record<string, string>>): string {
  const folder = temporaryFolder({ "package.json": `{ "type": "module" }`, ...files });
  mkdirSync(join(folder, "node_modules/@duck-ts"), { recursive: true });
  symlinkSync(server, join(folder, "node_modules/@duck-ts/server"));
  symlinkSync(zod, join(folder, "node_modules/zod"));
  return folder;
}

/** A `duck-ts` process. */
export class Command {
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;
  readonly lines: Record<string, unknown>[] = [];
  stderr = "";
  readonly #waiting: { matches: (line: Record<string, unknown>) => boolean; resolve: () => void }[] = [];

  /** Ends with the test, unless it is to be kept for several. */
  constructor(
    folder: string,
    argv: readonly string[],
    env: Readonly<Record<string, string>> = {},
    { keep = false } = {},
  ) {
    // What the machine that runs the tests has set must not decide their outcome.
    const { PORT: _port, HOST: _host, ...inherited } = process.env;
    this.child = spawn(process.execPath, [join(server, "bin/duck-ts.mjs"), ...argv], {
      cwd: folder,
      env: { ...inherited, NODE_ENV: "production", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.exited = once(this.child, "close").then(([code]) => code as number | null);
    this.child.stderr?.on("data", (data: Buffer) => {
      this.stderr += String(data);
    });
    createInterface({ input: this.child.stdout as NodeJS.ReadableStream }).on("line", (text) => this.#take(text));
    if (keep) return;
    onTestFinished(async () => {
      this.child.kill("SIGKILL");
      await this.exited;
    });
  }

  /** Resolves when a line with this message is there, or has been. Rejects when the process ends before. */
  async said(message: RegExp): Promise<Record<string, unknown>> {
    const matches = (line: Record<string, unknown>): boolean => message.test(String(line.msg));
    if (!this.lines.some(matches)) {
      const heard = new Promise<void>((resolve) => this.#waiting.push({ matches, resolve }));
      const ended = this.exited.then((code) => {
        if (!this.lines.some(matches)) throw new Error(`ended with ${code} before ${message}: ${this.stderr}`);
      });
      await Promise.race([heard, ended]);
    }
    return this.lines.find(matches) as Record<string, unknown>;
  }

  /** The URL, once it listens. */
  async url(): Promise<string> {
    return String((await this.said(/^duck-ts listens on/)).url);
  }

  #take(text: string): void {
    let line: Record<string, unknown>;
    try {
      line = JSON.parse(text) as Record<string, unknown>;
    } catch {
      line = { msg: text };
    }
    this.lines.push(line);
    for (const { matches, resolve } of this.#waiting) if (matches(line)) resolve();
  }
}
