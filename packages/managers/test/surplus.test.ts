import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { eventually } from "./support/gates.ts";

const script = fileURLToPath(new URL("./fixtures/surplus.mjs", import.meta.url));
const QUIET = Math.max(8, 2 * availableParallelism());

test("more running managers than max(8, 2 x cores) give one warning, with the number, the limit and the tree", async () => {
  const child = spawn(process.execPath, [script], { env: { ...process.env, DUCK_LOG_LEVEL: "warn" } });
  onTestFinished(() => void child.kill("SIGKILL"));
  const warnings: Record<string, unknown>[] = [];
  let running = 0;
  createInterface({ input: child.stderr }).on("line", (line) => warnings.push(JSON.parse(line)));
  createInterface({ input: child.stdout }).on("line", (line) => {
    running = JSON.parse(line).running;
  });
  const startUpTo = async (count: number): Promise<void> => {
    child.stdin.write("one more\n".repeat(count - running));
    await eventually(() => running === count, `${count} managers to be started`);
  };

  await startUpTo(QUIET);
  expect(warnings).toEqual([]);
  await startUpTo(QUIET + 1);
  await eventually(() => warnings.length > 0, "the warning");
  await startUpTo(QUIET + 4);
  expect(warnings).toHaveLength(1);
  const [warning] = warnings;
  expect(warning).toMatchObject({ level: 40, running: QUIET + 1, limit: QUIET });
  expect(warning?.msg).toContain(`${QUIET + 1} managers run in this process`);
  for (let n = 1; n <= QUIET + 1; n++) expect(warning?.msg).toContain(`surplus-${n}`);
});
