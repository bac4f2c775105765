import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";

const script = fileURLToPath(new URL("./fixtures/crossing.mjs", import.meta.url));
let out: Record<string, unknown>;

beforeAll(async () => {
  out = await new Promise((resolve, reject) => {
    execFile(process.execPath, [script], { timeout: 30_000 }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${error.message}\n${stderr}`));
      else resolve(JSON.parse(stdout) as Record<string, unknown>);
    });
  });
}, 30_000);

describe("what crosses to another thread and back", () => {
  it("context variables have the value of the call's moment, and changes do not come back", () => {
    expect(out.context).toEqual(["ada", "ada", "ada"]);
    expect(out.contextOfCall).toBe("grace");
  });

  it("an error keeps its class, name, message, code, fields, cause and both stacks", () => {
    expect(out.error).toEqual({
      isClass: true,
      name: "Error",
      message: "duck is out of stock",
      code: "OUT_OF_STOCK",
      sku: "duck",
      cause: "inner",
      stackThere: true,
      stackHere: true,
    });
  });

  it("a SyncFuture can be settled by the thread it was passed to, and the first write wins everywhere", () => {
    expect(out.settledThere).toBe("settled over there");
    expect(out.secondWrite).toBe(false);
  });

  it("a thread can block on a SyncFuture that it was passed", () => {
    expect(out.settledHere).toBe("settled here");
  });

  it("a SyncFuture connects two threads that are both not its maker's", () => {
    expect(out.between).toBe("between two others");
  });

  it("a buffer in `transfer` is moved, not copied, and so is a result marked by transfer()", () => {
    expect(out.sum).toBe(1000);
    expect(out.movedAway).toBe(0);
    expect(out.filled).toBe("7777777777");
  });

  it("an aborted signal reaches the task as taskSignal(), and the waiter as a TaskCancelledError", () => {
    expect(out.aborted).toEqual({ code: "DUCK_TASK_CANCELLED", cause: "enough" });
  });

  it("a task's call can be an argument, and is run over there", () => {
    expect(out.taskAsArgument).toBe("a task as an argument");
  });

  it("arguments are copied at the call: what the submitter changes afterwards stays with the submitter", () => {
    expect(out.copiedAtTheCall).toBe(1);
  });
});
