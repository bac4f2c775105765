import { nestsIn } from "./fixtures/nests.mjs";
import { ThreadPoolExecutor, managerTree, formatManagerTree } from "@duck-ts/managers";
import { currentThread } from "@duck-ts/runtime";
if (currentThread().kind === "main") {
const executor = new ThreadPoolExecutor(Number(process.argv[2] ?? 2));
let state = Number(process.argv[3] ?? 1) >>> 0;
const dice = () => { state = (state + 0x6d2b79f5) >>> 0; let t = Math.imul(state ^ (state >>> 15), 1 | state); t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t; return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32; };
const id = String(executor.manager.id);
const nest = nestsIn.with({ executor });
let done = 0, futures = [];
let last = -1;
setInterval(async () => { if (last === done) { console.log("STUCK", done, futures.map((f) => f.done ? "." : f.worker?.name ?? "queued").join(" ")); console.log(formatManagerTree(await managerTree()));
  console.log(Array.from(executor.manager.counters.slice(0, 16)).join()); process.exit(1); } last = done; }, 2000);
while (done < 2000) {
  const batch = Array.from({ length: 20 }, () => Math.floor(dice() * 6));
  futures = batch.map((depth) => nest(id, depth));
  await Promise.all(futures);
  done += batch.reduce((s, d) => s + d + 1, 0);
}
console.log("ok", done); process.exit(0);
}
