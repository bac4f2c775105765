/** How a process with managers ends: by itself when nothing is pending, and at once when it is told to. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { within } from "./support/gates.ts";

const program = fileURLToPath(new URL("./fixtures/exits.mjs", import.meta.url));

/** Runs one of the programs to its end; a process that does not end is killed, and the test fails. */
async function run(
  ...args: string[]
): Promise<{ readonly code: number | null; readonly said: string; readonly output: string }> {
  const [name] = args;
  const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  let output = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  try {
    const code = await within(
      new Promise<number | null>((resolve) => child.once("close", resolve)),
      `the process "${name}" to end`,
      15_000,
    );
    return { code, said, output };
  } finally {
    child.kill("SIGKILL");
  }
}

const times = (text: string, what: string): number => text.split(what).length - 1;

describe("a process", () => {
  test("that awaits what the only thread to settle it has left as it is ends, and the await with an error", async () => {
    const { code, said } = await run("left-alone");
    expect(said).toContain("nobody is left to settle it");
    expect(code).toBe(0);
    expect((await run("left-alone, for a daemon")).said).toContain("by main");
  });

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
    expect(await run("daemon")).toEqual({ code: 0, said: "", output: "" });
  });

  // The story: a worker hands its output over one write at a time, to the supervisor, which hands it on to main. The news
  // that the task was done came first, and with nothing left to do the process ended: of many lines it had shown one.
  test.each(
    ["pool", "loop"].flatMap((kind) => ["awaits", "blocks", "stops", "leaves"].map((end) => [kind, end] as const)),
  )("shows all that a task of a %s wrote to its console before it ends, where it %s", async (kind, end) => {
    const { code, said, output } = await run("writes", kind, end);
    expect([code, said]).toEqual([0, ""]);
    expect(output.split("\n")).toEqual([...Array.from({ length: 50 }, (_, line) => `line ${line}`), ""]);
  });

  test("that calls process.exit() while threads spin ends at once with its code, and leaves nothing", async () => {
    expect((await run("exit")).code).toBe(7);
    expect((await run("exit at once")).code).toBe(6);
  });
});
