import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";

const script = fileURLToPath(new URL("./fixtures/exits.mjs", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "duck-exit-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs the script; the deadline turns "does not end" into a failure. */
function run(how: string, file = ""): Promise<{ code: number; stdout: string; signal: NodeJS.Signals | null }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [script, how, file], { timeout: 15_000, killSignal: "SIGKILL" }, (error, stdout) => {
      resolve({ code: typeof error?.code === "number" ? error.code : 0, stdout, signal: error?.signal ?? null });
    });
  });
}

describe("a process", () => {
  it("ends by itself while its managers run idle", async () => {
    expect(await run("idle")).toEqual({ code: 0, stdout: "", signal: null });
  });

  it("stays alive for a task of a pool that is awaited", async () => {
    expect(await run("awaits a pool")).toEqual({ code: 0, stdout: "pool\n", signal: null });
  });

  it("stays alive for a task of a loop that is awaited", async () => {
    expect(await run("awaits a loop")).toEqual({ code: 0, stdout: "loop\n", signal: null });
  });

  it("lets a task that nobody awaits finish before it ends", async () => {
    const file = join(folder, "finished");
    expect(await run("does not await", file)).toMatchObject({ code: 0, signal: null });
    expect(readFileSync(file, "utf8")).toBe("written");
  });

  it("does not wait for a daemon's task", async () => {
    const file = join(folder, "daemon");
    expect(await run("does not await a daemon", file)).toMatchObject({ code: 0, signal: null });
    expect(() => readFileSync(file)).toThrow(/ENOENT/);
  });

  it("leaves nothing behind when it exits while a task spins", async () => {
    expect(await run("exits in the middle")).toEqual({ code: 5, stdout: "", signal: null });
  });

  it("can start, submit and block before its event loop has ever turned", async () => {
    expect(await run("blocks from its first instant")).toEqual({ code: 0, stdout: "pool loop\n", signal: null });
  });
});
