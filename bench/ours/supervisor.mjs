/** Starts the supervisor and nothing else, and says what that took. */
import { setTimeout as delay } from "node:timers/promises";
import { managerTree } from "@duck-ts/managers";
import { serve } from "../harness/served.mjs";

const before = process.memoryUsage.rss();
const from = performance.now();
await managerTree();
const ms = performance.now() - from;
await delay(200);
serve({ ms, mb: (process.memoryUsage.rss() - before) / 1048576 });
