import { defineConfig } from "@duck-ts/server";
import { guestbook } from "./plugins/guestbook.ts";
import { render } from "./plugins/render.ts";

export default defineConfig({
  app: "./src/app.ts",
  server: { bodyLimitBytes: 256 * 1024 * 1024 },
  plugins: [render, guestbook],
});
