/** How a process with managers ends: by itself when nothing is pending, and at once when it is told to. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { within } from "./support/gates.ts";

const program = fileURLToPath(new URL("./fixtures/exits.mjs", import.meta.url));

/** Runs one of the programs to its end; a process that does not end is killed, and the test fails. */
async function run(name: string): Promise<{ readonly code: number | null; readonly said: string }> {
  const child = spawn(process.execPath, [program, name], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  try {
    const code = await within(
      new Promise<number | null>((resolve) => child.once("close", resolve)),
      `the process "${name}" to end`,
      15_000,
    );
    return { code, said };
  } finally {
    child.kill("SIGKILL");
  }
}

const times = (text: string, what: string): number => text.split(what).length - 1;

describe("a process", () => {
  test.each(["idle", "used"])("whose managers are %s ends by itself", async (name) => {
    expect((await run(name)).code).toBe(0);
  });

  test("is kept alive by a pending task that is awaited", async () => {
    const { code, said } = await run("awaited");
    expect([code, times(said, "task done"), times(said, "done")]).toEqual([0, 2, 4]);
  });

  test("finishes the tasks of managers that are not daemons, also where nobody awaits them", async () => {
    const { code, said } = await run("not-daemon");
    expect([code, times(said, "task done")]).toEqual([0, 2]);
  });

  test("does not wait for the tasks of daemons", async () => {
    expect(await run("daemon")).toEqual({ code: 0, said: "" });
  });

  test("that calls process.exit() while threads spin ends at once with its code, and leaves nothing", async () => {
    expect((await run("exit")).code).toBe(7);
    expect((await run("exit at once")).code).toBe(6);
  });
});
