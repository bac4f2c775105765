const rss = () => process.memoryUsage.rss() / 1048576;
const wait = (ms) => new Promise(r => setTimeout(r, ms));
let b = rss();
const step = async (n, f) => { const r = await f(); await wait(700); const a = rss(); console.log(n.padEnd(40), (a - b).toFixed(1)); b = a; return r; };
await wait(300); b = rss();
await step("import fastify", async () => { const { default: f } = await import("fastify"); const a = f({ logger: false }); a.get("/", () => 1); await a.listen({ port: 0 }); });
const { createRequire } = await import("node:module"); const req = createRequire("/work/main/packages/server/dist/index.js");
const path = await import("node:path"); const fs = await import("node:fs");
await step("zod", () => import(req.resolve("zod").replace(/\.cjs$/, ".js")));
await step("pino", () => req("pino"));
await step("import server", async () => { globalThis.s = await import("@duck-ts/server"); });
await step("create-server chunk", () => import("/work/main/packages/server/dist/" + fs.readdirSync("/work/main/packages/server/dist").find(f => /^create-server.*js$/.test(f))));
const m = await import("@duck-ts/managers"); 
await step("supervisor", () => m.managerTree());
const { hostPool } = await import("/work/main/packages/managers/dist/internal.js");
fs.writeFileSync("/tmp/wm.mjs", "export function start() { return {}; }");
fs.writeFileSync("/tmp/wm2.mjs", "import '/work/main/packages/server/dist/engine/worker.js'; export function start() { return {}; }");
for (const mod of ["/tmp/wm.mjs", "/tmp/wm2.mjs"]) {
const p = hostPool({ maxWorkers: 3, taskType: "x", threadNamePrefix: "x", workerModule: "file://" + mod, workerData: {}, startTimeoutMs: 9000, onReady() { console.log("ready") }, onExit() { console.log("exit") } });
await step("hosted " + mod, async () => { p.spawn(); await wait(1000); });
await step("hosted", async () => { p.spawn(); await wait(1000); });
await step("hosted", async () => { p.spawn(); await wait(1000); });
}
process.exit();
