import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus } from "node:os";

/**
 * Begins to watch how much of the machine others take. What was started from here and has ended counts as ours.
 *
 * @returns a function that gives the share of all cores taken by others since, or by the host of a virtual machine;
 * undefined where the system does not tell (it is read from Linux's /proc)
 */
export function startMeter() {
  if (process.platform !== "linux") return () => undefined;
  const ticksPerSecond = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));
  const from = { at: performance.now(), ticks: foreignTicks() };
  return () => {
    const seconds = (performance.now() - from.at) / 1000;
    return Math.max(0, (foreignTicks() - from.ticks) / ticksPerSecond / seconds / cpus().length);
  };
}

function foreignTicks() {
  const [user, nice, system, , , , , steal] = numbers(
    readFileSync("/proc/stat", "utf8").split("\n", 1)[0].slice("cpu".length),
  );
  // The name in parentheses may hold spaces; fields 14 to 17 are user, system, and both of the children that ended.
  const own = readFileSync("/proc/self/stat", "utf8");
  const times = numbers(own.slice(own.lastIndexOf(")") + 1).replace(/^ \S/, "")).slice(10, 14);
  return user + nice + system + steal - times.reduce((sum, ticks) => sum + ticks, 0);
}

const numbers = (text) => text.trim().split(/\s+/).map(Number);
