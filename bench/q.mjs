import { PerformanceObserver } from "node:perf_hooks";
import { noop, startPool } from "./ours/tasks.mjs";

let gc = 0;
setInterval(() => {}, 1000);
new PerformanceObserver((l) => {
  for (const e of l.getEntries()) gc += e.duration;
}).observe({ entryTypes: ["gc"] });
const pool = startPool();
const modes = {
  all: (n) => Promise.all(Array.from({ length: n }, () => pool.submitTask(noop()))),
  last: async (n) => {
    let f;
    for (let i = 0; i < n; i++) f = pool.submitTask(noop());
    await f;
  },
  cb: (n) =>
    new Promise((r) => {
      let left = n;
      const done = () => {
        if (--left === 0) r();
      };
      for (let i = 0; i < n; i++) pool.submitTask(noop()).addDoneCallback(done);
    }),
};
async function cost(mode, n, times) {
  const g0 = gc,
    c0 = process.cpuUsage();
  const t = performance.now();
  for (let i = 0; i < times; i++) await modes[mode](n);
  const ms = performance.now() - t;
  await new Promise((r) => setTimeout(r, 5));
  const c = process.cpuUsage(c0);
  return { us: (ms * 1000) / n / times, gc: ((gc - g0) * 1000) / n / times, cpu: (c.user + c.system) / n / times };
}
for (const m of ["all", "last", "cb"])
  for (const [n, t] of [
    [100, 2000],
    [10000, 20],
    [100000, 3],
    [200000, 2],
  ])
    await cost(m, n, t);
const rows = {};
for (let r = 0; r < 5; r++)
  for (const m of Object.keys(modes))
    for (const [n, t] of [
      [100, 2000],
      [10000, 20],
      [100000, 3],
      [200000, 2],
    ])
      (rows[m + " " + n] ??= []).push(await cost(m, n, t));
const med = (a) => a.sort((x, y) => x - y)[a.length >> 1];
for (const [k, v] of Object.entries(rows))
  console.log(
    k.padEnd(14),
    "us",
    med(v.map((x) => x.us)).toFixed(2),
    "gc",
    med(v.map((x) => x.gc)).toFixed(2),
    "cpu",
    med(v.map((x) => x.cpu)).toFixed(2),
  );
process.exit();
