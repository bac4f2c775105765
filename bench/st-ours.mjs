import { managerTree } from "@duck-ts/managers";

const c = process.cpuUsage();
const t = performance.now();
await managerTree();
const u = process.cpuUsage(c);
console.log(((u.user + u.system) / 1000).toFixed(1), (performance.now() - t).toFixed(1));
process.exit();
