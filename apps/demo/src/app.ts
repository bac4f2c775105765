import { defineApp } from "@duck-ts/server";
import { events } from "./routes/events.ts";
import { guestbook } from "./routes/guestbook.ts";
import { home } from "./routes/home.ts";
import { misbehave } from "./routes/misbehave.ts";
import { render } from "./routes/render.ts";
import { report } from "./routes/report.ts";
import { threads } from "./routes/threads.ts";
import { upload } from "./routes/upload.ts";

export default defineApp({
  routes: [...home, ...render, ...guestbook, ...upload, ...report, ...events, ...threads, ...misbehave],
});
