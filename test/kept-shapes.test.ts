import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const script = fileURLToPath(new URL("./fixtures/collects-between-calls.mjs", import.meta.url));

/** What every blocking call runs through, whatever V8 inlines into what. */
const everyCall = ["submitTask", "open", "submission", "encodeTask", "result", "blockUntil", "takeUntil"];

test("a full collection between blocking calls does not throw away the code that V8 has made for them", async () => {
  const flags = ["--expose-gc", "--trace-deopt"];
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, script], { maxBuffer: 2 ** 26 });
  const thrownAway = [...stdout.matchAll(/SharedFunctionInfo ?(.*?)>.*reason: .*weak objects/g)].map(
    ([, name]) => name,
  );
  expect(thrownAway).toContain("control"); // the script's own
  expect(thrownAway.filter((name) => everyCall.includes(name as string))).toEqual([]);
});

const late = fileURLToPath(new URL("./fixtures/imports-late.mjs", import.meta.url));

test("what is kept holds nothing of whoever loads the library: a stack would hold the functions on it, and their `this`", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ["--expose-gc", late]);
  expect(stdout.trim()).toBe("main nothing is left");
});
