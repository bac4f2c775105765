/** Starts a Worker that does nothing but answer, and says what that took. */
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { serve } from "../harness/served.mjs";

const before = process.memoryUsage.rss();
const from = performance.now();
const worker = new Worker(new URL("bare-answer.mjs", import.meta.url));
await once(worker, "message");
const ms = performance.now() - from;
await delay(200);
serve({ ms, mb: (process.memoryUsage.rss() - before) / 1048576 });
