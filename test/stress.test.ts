/**
 * Thousands of seeded rounds in which five threads submit, cancel, time out, crash and block at once. The script checks
 * each round's own outcome; more rounds and other seeds by hand: node --expose-gc test/fixtures/stress.mjs ROUNDS SEED
 */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const script = fileURLToPath(new URL("./fixtures/stress.mjs", import.meta.url));

type Report = {
  counts: Record<string, number>;
  wrong: string[];
  threads: string[];
  resources: string[];
  /** Resident after each fifth of the rounds, in MiB, when all threads but the supervisor have collected their garbage. */
  memory: number[];
};

function run(rounds: number, seed: number): Promise<Report> {
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      ["--expose-gc", script, String(rounds), String(seed)],
      { timeout: 100_000 },
      (error, stdout, stderr) => {
        if (error) reject(new Error(`${error.message}\n${stderr}`));
        else resolve(JSON.parse(stdout) as Report);
      },
    );
  });
}

it.each([1, 2])(
  "every future has its own outcome, and no thread or handle is left (seed %i)",
  async (seed) => {
    const report = await run(3_000, seed);
    expect(report.wrong).toEqual([]);
    expect(report.threads).toEqual(["duck:supervisor"]);
    expect(report.resources).toEqual([]);
    // What the allocator keeps for later grows on for a while (10,000 rounds: by a tenth); a leak of 30 KB a round shows.
    const [, warm = 0, , , end = 0] = report.memory;
    expect(end).toBeLessThan(warm * 1.25);
    // Every kind of round was there.
    expect(Object.keys(report.counts).sort()).toEqual([
      "after a short wait",
      "beside a crash",
      "burst",
      "cancel",
      "crash",
      "deadline",
      "echo",
      "fail",
      "short wait",
      "uncloneable",
    ]);
  },
  120_000,
);
