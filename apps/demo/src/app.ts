import { defineApp } from "@duck-ts/server";
import { events } from "./routes/events.ts";
import { guestbook } from "./routes/guestbook.ts";
import { guide } from "./routes/guide.ts";
import { home } from "./routes/home.ts";
import { image } from "./routes/image.ts";
import { misbehave } from "./routes/misbehave.ts";
import { password } from "./routes/password.ts";
import { render } from "./routes/render.ts";
import { report } from "./routes/report.ts";
import { threads } from "./routes/threads.ts";
import { upload } from "./routes/upload.ts";

export default defineApp({
  routes: [
    ...home,
    ...render,
    ...guide,
    ...guestbook,
    ...upload,
    ...image,
    ...password,
    ...report,
    ...events,
    ...threads,
    ...misbehave,
  ],
});
