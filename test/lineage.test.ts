import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";

const script = fileURLToPath(new URL("./fixtures/lineage.mjs", import.meta.url));

type Seen = { lineage: { name: string; kind: string; id: number }[]; parentIsFirstAncestor: boolean };
let threads: Record<string, Seen>;

beforeAll(async () => {
  threads = await new Promise((resolve, reject) => {
    execFile(process.execPath, [script], { timeout: 30_000 }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${error.message}\n${stderr}`));
      else resolve(JSON.parse(stdout) as Record<string, Seen>);
    });
  });
}, 30_000);

function chain(name: string): string[] {
  return (threads[name] as Seen).lineage.map((thread) => `${thread.kind} ${thread.name}`);
}

const main = "main main";
const pool = "pool duck:pool-io-n";
const loop = "loop renderer";
const raw = "foreign worker-n";

describe("a thread knows its ancestors", () => {
  it.each([
    ["main, the root", "main", [main]],
    ["a pool's worker", "pool", [pool, main]],
    ["a loop's thread", "loop", [loop, main]],
    ["a raw new Worker()", "raw", [raw, main]],
    ["a raw Worker in a raw Worker", "rawInRaw", [raw, raw, main]],
    ["a pool that a loop's task made", "poolInLoop", ["pool duck:pool-below-n", loop, main]],
    ["a loop that a pool's task made", "loopInPool", ["loop duck:loop-below", pool, main]],
    ["a raw Worker that a pool's task made", "rawInPool", [raw, pool, main]],
    ["a worker below one that never loaded the runtime, which is skipped", "throughStranger", [raw, pool, main]],
    ["a thread whose child was terminated", "afterChildDied", [pool, main]],
  ])("%s", (_what, name, expected) => {
    expect(chain(name)).toEqual(expected);
  });

  it("has ids that are Node's thread ids, no two alike in a chain", () => {
    for (const { lineage, parentIsFirstAncestor } of Object.values(threads)) {
      expect(new Set(lineage.map((thread) => thread.id)).size).toBe(lineage.length);
      expect(lineage.at(-1)?.id).toBe(0);
      expect(parentIsFirstAncestor).toBe(true);
    }
  });
});
