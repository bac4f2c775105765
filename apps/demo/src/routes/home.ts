import { currentThread, get } from "@duck-ts/server";
import { markup } from "../view/markup.ts";
import { page } from "../view/page.ts";

const stops: readonly (readonly [path: string, title: string, text: string])[] = [
  ["/hello/you", "Say hello", "The smallest handler: a path, an object, JSON."],
  [
    "/render",
    "Render an image",
    "Heavy drawing in a render loop of the thread's own, awaited by one handler, blocked on by another.",
  ],
  ["/guide", "Read the field guide", "Preact components, made into HTML by the render loop."],
  [
    "/guestbook",
    "Sign the guestbook",
    "A form checked by zod, an SQLite file behind one loop on main, found by lineage from every thread.",
  ],
  ["/upload", "Upload a file", "Hashed while it comes in, chunk by chunk. Nothing waits for the whole of it."],
  ["/image", "Resize an image", "sharp, in three sizes side by side."],
  ["/password", "Hash a password", "Argon2, synchronous, slow on purpose. Only its own thread waits."],
  ["/report", "Stream a report", "100,000 rows out of a plain generator, as fast as you read them."],
  ["/events", "Follow events", "Server-sent events out of an async generator, whose finally runs when you leave."],
  ["/threads", "See the threads", "Every thread, its parent, and the managers it owns, live."],
  ["/misbehave", "Misbehave", "Block, loop for ever, crash. Watch how the others do not notice."],
];

export const home = [
  get("/", () =>
    page({
      path: "/",
      hero: true,
      title: "Handlers that may block",
      lead: "Each page here is made in a thread by code that does what servers are told never to do: compute, wait, even loop for ever. Click through it, and keep an eye on who answered.",
      body: markup`<div class="grid small">${stops.map(
        ([path, title, text]) => markup`<a class="card" href="${path}"><h2>${title}</h2><p>${text}</p></a>`,
      )}</div>`,
    }),
  ),
  get("/hello/:name", ({ params }) => ({ hello: params.name, thread: currentThread().name })),
];
