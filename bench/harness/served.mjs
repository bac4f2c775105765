import { readdirSync, readFileSync } from "node:fs";

const memory = () => ({ rssMb: process.memoryUsage.rss() / 1048576 });

/** The time of the cores that the process has taken, and how long its main thread has been busy and idle. */
function usage() {
  const { user, system } = process.cpuUsage();
  const { active, idle } = performance.eventLoopUtilization();
  return { cpuUs: user + system, active, idle, wakeUps: wakeUps() };
}

/** How often threads of this process have gone to sleep so far, and so were woken; 0 where the system does not tell. */
export function wakeUps() {
  if (process.platform !== "linux") return 0;
  const counts = readdirSync("/proc/self/task").map((thread) => {
    const status = readFileSync(`/proc/self/task/${thread}/status`, "utf8");
    return Number(/\nvoluntary_ctxt_switches:\s+(\d+)/.exec(status)[1]);
  });
  return counts.reduce((sum, count) => sum + count, 0);
}

/**
 * What a child process tells the bench: that it is ready, and later how much memory and time it has taken.
 *
 * @param ready sent once, `{ port }` for a server
 * @param answers question -> its answer
 * @param end run before it leaves
 */
export function serve(ready, answers = {}, end = () => {}) {
  const known = { memory, usage, ...answers };
  process.on("message", async (question) => process.send(await known[question]()));
  const leave = async () => {
    await end();
    process.exit();
  };
  process.on("disconnect", leave);
  process.on("SIGTERM", leave);
  process.send(ready);
}
