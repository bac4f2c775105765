/**
 * Who may block on what: every kind of thread as the caller, everything that can become of a task as the target. Each
 * caller is a process of its own, in which it works through all targets, once with a pool and once with a loop; after
 * each, the same target must answer again, so that no cell harms the next.
 */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";

const script = fileURLToPath(new URL("./fixtures/matrix-tasks.mjs", import.meta.url));

const callers: Record<string, string> = {
  main: "main",
  "pool worker": "pool",
  "loop thread": "loop",
  "raw Worker": "foreign",
  "grandchild of main": "pool",
  "grandchild of a pool worker": "pool",
  "grandchild of a loop thread": "pool",
  "grandchild of a raw Worker": "pool",
};

const outcomes: Record<string, object> = {
  answers: { value: 2 },
  throws: { name: "RangeError", message: "thrown over there" },
  "throws a non-error": { thrown: { reason: "not an error" } },
  "returns something uncloneable": {
    code: "DUCK_DATA_NOT_CLONEABLE",
    message: expect.stringMatching(/^result\.deep\.inside\[0\] is a function/),
  },
  "calls process.exit": { code: "DUCK_WORKER_CRASHED", reason: "exit", exitCode: 7 },
  "runs out of memory": { code: "DUCK_WORKER_CRASHED", reason: "out-of-memory" },
  "is terminated from elsewhere": { code: "DUCK_WORKER_CRASHED", reason: "terminated" },
  "never answers, with timeoutMs set": { code: "DUCK_TASK_TIMEOUT" },
  "is the caller's own thread": { code: "DUCK_DEADLOCK" },
  "waits for the caller": { code: "DUCK_DEADLOCK" },
};

function run(caller: string): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [script, caller], { timeout: 60_000 }, (error, stdout, stderr) => {
      if (error) reject(new Error(`the process of "${caller}" failed: ${error.message}\n${stderr}`));
      else resolve(JSON.parse(stdout.trim().split("\n").at(-1) as string) as Record<string, unknown>);
    });
  });
}

describe.each(Object.entries(callers))("blocking in %s", (caller, kind) => {
  let cells: Record<string, unknown>;

  beforeAll(async () => {
    cells = await run(caller);
  }, 60_000);

  it("runs in the kind of thread it is about", () => {
    expect(cells.thread).toBe(kind);
  });

  for (const target of ["thread", "loop"]) {
    for (const [what, outcome] of Object.entries(outcomes)) {
      it(`on a ${target === "thread" ? "pool" : "loop"} whose task ${what}`, () => {
        expect(cells[`${target}: ${what}`]).toMatchObject(outcome);
        expect(cells[`${target}: ${what}, and the target answers after it`]).toEqual({ value: 2 });
      });
    }
  }
});
