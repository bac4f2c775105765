/**
 * A task that fills its heap ends its thread, not the process. Node lets a thread that has come to its limit have 16 MB
 * more; V8 aborts the process when one garbage collection needs more than that, and one may move a whole semi-space.
 */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { limitsHere } from "./fixtures/heap.mjs";
import { kinds, start } from "./support/managers.ts";

const script = fileURLToPath(new URL("./fixtures/heap.mjs", import.meta.url));
/** What a collection can move at once is a third of this, and has to be below 16. */
const LARGEST_YOUNG_MB = 47;

describe.each(kinds)("a thread of a %s manager", (kind) => {
  test.each([
    ["no limits", undefined],
    ["a small heap", { maxOldGenerationSizeMb: 64 }],
  ])("with %s can be moved over by the garbage collector within what Node grants", async (_, resourceLimits) => {
    const limits = await start(kind, resourceLimits === undefined ? {} : { resourceLimits }).submitTask(limitsHere());
    expect(limits.maxYoungGenerationSizeMb).toBeLessThanOrEqual(LARGEST_YOUNG_MB);
    if (resourceLimits !== undefined) expect(limits).toMatchObject(resourceLimits);
  });

  test("has the young generation that it was given", async () => {
    const limits = await start(kind, { resourceLimits: { maxYoungGenerationSizeMb: 96 } }).submitTask(limitsHere());
    expect(limits.maxYoungGenerationSizeMb).toBe(96);
  });
});

test("heaps filled by JSON, clones and objects, again and again, leave the process standing", async () => {
  // The story: on Node 24, whose semi-spaces are 64 MB, 12 of 20 processes were aborted within five such tasks.
  const { stdout } = await promisify(execFile)(process.execPath, [script, "1"], { timeout: 60_000 });
  expect(JSON.parse(stdout)).toEqual(["out-of-memory"]);
}, 60_000);
