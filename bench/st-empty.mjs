import { once } from "node:events";
import { Worker } from "node:worker_threads";

const c = process.cpuUsage();
const t = performance.now();
const w = new Worker(new URL("./peers/bare-answer.mjs", import.meta.url));
await once(w, "message");
const u = process.cpuUsage(c);
console.log(((u.user + u.system) / 1000).toFixed(1), (performance.now() - t).toFixed(1));
process.exit();
