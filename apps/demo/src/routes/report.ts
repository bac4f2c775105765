import { get, reply } from "@duck-ts/server";
import { z } from "zod";
import { markup } from "../view/markup.ts";
import { page } from "../view/page.ts";

const rowsPerChunk = 500;

/** A plain generator: no stream, no callback. It runs only as fast as the client reads. */
function* csv(rows: number): Generator<string> {
  yield "row,duck,weight_grams\n";
  for (let first = 1; first <= rows; first += rowsPerChunk) {
    let chunk = "";
    for (let row = first; row < first + rowsPerChunk && row <= rows; row++) {
      chunk += `${row},${ducks[row % ducks.length]},${700 + ((row * 7919) % 900)}\n`;
    }
    yield chunk;
  }
}

const ducks = ["mallard", "teal", "pintail", "gadwall", "wigeon", "shoveler", "garganey", "eider", "goldeneye"];

export const report = [
  get("/report", () =>
    page({
      path: "/report",
      title: "Stream a report",
      lead: "The handler returns a generator. Its rows leave as they are made, and when you stop reading, it stops making.",
      body: markup`<div class="stack">
<div class="row"><button id="start">Read 100,000 rows</button><button id="stop" class="plain" disabled>Stop reading</button><a class="button plain" href="/report.csv" download>Download</a></div>
<div class="grid small" aria-live="polite">
<div class="card"><p>Rows</p><div class="big" id="rows">0</div></div>
<div class="card"><p>Bytes</p><div class="big" id="bytes">0</div></div>
<div class="card"><p>First bytes after</p><div class="big" id="first">–</div></div>
<div class="card"><p>All after</p><div class="big" id="all">–</div></div>
</div>
<pre id="tail">the last rows will stand here</pre>
</div>`,
      script,
    }),
  ),

  get(
    "/report.csv",
    { query: z.object({ rows: z.coerce.number().int().min(1).max(1_000_000).default(100_000) }) },
    ({ query }) =>
      reply(200, csv(query.rows), {
        "content-type": "text/csv; charset=utf-8",
        "content-disposition": 'attachment; filename="ducks.csv"',
      }),
  ),
];

const script = `
const at = (id) => document.getElementById(id), ms = (from) => Math.round(performance.now() - from) + " ms";
let reading = null;
at("stop").onclick = () => reading?.abort();
at("start").onclick = async () => {
  reading = new AbortController();
  at("start").disabled = true; at("stop").disabled = false; at("all").textContent = "…"; at("first").textContent = "…";
  const from = performance.now(), decoder = new TextDecoder();
  let rows = 0, bytes = 0, tail = "";
  try {
    const { body } = await fetch("/report.csv", { signal: reading.signal });
    const reader = body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (bytes === 0) at("first").textContent = ms(from);
      const text = decoder.decode(value, { stream: true });
      bytes += value.length; rows += text.split("\\n").length - 1; tail = (tail + text).slice(-400);
      at("rows").textContent = rows.toLocaleString("en"); at("bytes").textContent = bytes.toLocaleString("en");
      at("tail").textContent = tail.split("\\n").slice(-7).join("\\n");
    }
    at("all").textContent = ms(from);
  } catch (error) {
    at("all").textContent = error.name === "AbortError" ? "stopped" : "lost";
  }
  at("start").disabled = false; at("stop").disabled = true;
};
`;
