import { setTimeout as delay } from "node:timers/promises";
import { currentThread, get, reply } from "@duck-ts/server";
import { markup } from "../view/markup.ts";
import { page } from "../view/page.ts";

/** One event a second, for as long as somebody listens. */
async function* ticks(signal: AbortSignal, gone: () => void): AsyncGenerator<string> {
  try {
    for (let count = 1; ; count++) {
      const { rss } = process.memoryUsage();
      const tick = {
        count,
        thread: currentThread().name,
        memoryMb: Math.round(rss / 1048576),
        at: new Date().toISOString(),
      };
      yield `event: tick\ndata: ${JSON.stringify(tick)}\n\n`;
      await delay(1000, undefined, { signal });
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    gone();
  }
}

export const events = [
  get("/events", () =>
    page({
      path: "/events",
      title: "Follow events",
      lead: "Server-sent events out of an async generator. It shares its thread with others while it waits, and its finally runs when you leave: the server's log says so.",
      body: markup`<div class="stack">
<div class="grid" aria-live="off">
<div class="card"><p>Events</p><div class="big" id="count">0</div></div>
<div class="card"><p>From thread</p><div class="big" id="thread">–</div></div>
<div class="card"><p>Memory of the process</p><div class="big" id="memory">–</div></div>
</div>
<ul class="log mono" id="log"></ul></div>`,
      script,
    }),
  ),

  // An endless answer has no deadline that fits: this one is a day.
  get("/api/events", { timeoutMs: 86_400_000 }, async ({ signal, log }) =>
    reply(
      200,
      ticks(signal, () => log.info("the listener has left")),
      {
        "content-type": "text/event-stream",
        "cache-control": "no-store",
      },
    ),
  ),
];

const script = `
const at = (id) => document.getElementById(id);
const source = new EventSource("/api/events");
source.addEventListener("tick", (event) => {
  const tick = JSON.parse(event.data), line = document.createElement("li");
  at("count").textContent = tick.count; at("thread").textContent = tick.thread; at("memory").textContent = tick.memoryMb + " MiB";
  line.textContent = tick.at.slice(11, 19) + "  tick " + tick.count;
  at("log").prepend(line);
  while (at("log").children.length > 8) at("log").lastChild.remove();
});
source.onerror = () => { at("thread").textContent = "reconnecting"; };
`;
