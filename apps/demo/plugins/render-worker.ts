import { getOrCreateLoopManager } from "@duck-ts/server";

/** Runs in each request thread before its first request: the thread's own loop, which takes render tasks and nothing else. */
export function onWorkerStart(): void {
  getOrCreateLoopManager("render").start({ taskType: "render", threadName: "render", daemon: true });
}
