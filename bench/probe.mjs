import { readdirSync, readFileSync } from "node:fs";

const { echo, startLoop, startPool } = await import("/work/main/bench/ours/tasks.mjs");
const { echo: synckit } = await import("/work/main/bench/peers/synckit.mjs");
const loop = startLoop(),
  pool = startPool();
const arg = "x".repeat(+process.env.SIZE || 100);
function switches() {
  const m = {};
  for (const t of readdirSync("/proc/self/task")) {
    try {
      const s = readFileSync(`/proc/self/task/${t}/status`, "utf8");
      const st = readFileSync(`/proc/self/task/${t}/stat`, "utf8").split(") ")[1].split(" ");
      m[t + " " + /Name:\s*(.*)/.exec(s)[1]] = [
        +/\nvoluntary_ctxt_switches:\s*(\d+)/.exec(s)[1],
        +/nonvoluntary_ctxt_switches:\s*(\d+)/.exec(s)[1],
        +st[11],
        +st[12],
      ];
    } catch {}
  }
  return m;
}
const q = (l, f) => l[Math.floor(l.length * f)].toFixed(1);
function run(name, n, f) {
  const a = switches();
  const c = process.cpuUsage();
  const l = [];
  for (let i = 0; i < n; i++) {
    const t = performance.now();
    f();
    l.push((performance.now() - t) * 1e3);
  }
  const u = process.cpuUsage(c);
  const b = switches();
  l.sort((x, y) => x - y);
  console.log(
    name.padEnd(8),
    "p10",
    q(l, 0.1),
    "p50",
    q(l, 0.5),
    "p90",
    q(l, 0.9),
    "p99",
    q(l, 0.99),
    "cpu/call",
    (u.user / n).toFixed(1),
    (u.system / n).toFixed(1),
  );
  if (process.env.V)
    for (const k in b) {
      const d = b[k].map((v, i) => v - (a[k]?.[i] ?? 0));
      if (d.some((x) => x > 5)) console.log("     ", k, d.join(" "));
    }
}
const N = +process.env.N || 3000;
for (let r = 0; r < (+process.env.R || 4); r++) {
  run("loop", N, () => loop.submitTask(echo(arg)).result());
  run("pool", N, () => pool.submitTask(echo(arg)).result());
  run("synckit", N, () => synckit(arg));
}
process.exit();
