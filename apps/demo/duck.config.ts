import { defineConfig } from "@duck-ts/server";
import { guestbook } from "./plugins/guestbook.ts";
import { render } from "./plugins/render.ts";

export default defineConfig({
  app: "./src/app.ts",
  // A listener of /api/events never leaves by itself: Ctrl-C waits no longer than this for it.
  server: { bodyLimitBytes: 256 * 1024 * 1024, shutdownTimeoutMs: 3000 },
  plugins: [render, guestbook],
});
