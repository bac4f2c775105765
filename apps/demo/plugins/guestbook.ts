import { definePlugin, getOrCreateLoopManager } from "@duck-ts/server";

/**
 * Runs on main, once: the loop that keeps the guestbook. Main is every request thread's ancestor, so all of them find
 * this one loop by its id, and there is one guestbook and not one per thread.
 */
export const guestbook = definePlugin({
  name: "guestbook",
  server() {
    getOrCreateLoopManager("guestbook").start({ taskType: "guestbook", threadName: "guestbook", daemon: true });
  },
});
