import { createHash } from "node:crypto";
import { currentThread, get, HttpError, put } from "@duck-ts/server";
import { markup } from "../view/markup.ts";
import { page } from "../view/page.ts";

export const upload = [
  get("/upload", () =>
    page({
      path: "/upload",
      title: "Upload a file",
      lead: "The handler reads the body as it arrives and hashes each chunk. Try something large: the memory of the server does not grow with it.",
      body: markup`<div class="stack">
<form class="card stack">
<div><label for="file">File, up to 256 MiB</label><input id="file" name="file" type="file"></div>
<div class="row"><button>Upload</button><button type="button" class="plain" id="made">Send 64 MiB made up on the spot</button></div>
<progress max="1" value="0" aria-label="Progress"></progress>
</form>
<div class="card" aria-live="polite"><h2>What the server saw</h2><dl id="seen"><dt>Nothing yet</dt><dd></dd></dl></div>
</div>`,
      script,
    }),
  ),

  put("/api/upload", { streamBody: true, timeoutMs: 120_000 }, async ({ request }) => {
    if (request.body === null) throw new HttpError(400, "An upload needs a body");
    const started = performance.now();
    const hash = createHash("sha256");
    let [bytes, chunks, largest] = [0, 0, 0];
    for await (const chunk of request.body) {
      hash.update(chunk);
      bytes += chunk.length;
      chunks++;
      largest = Math.max(largest, chunk.length);
    }
    return {
      bytes,
      chunks,
      largestChunkBytes: largest,
      sha256: hash.digest("hex"),
      tookMs: Math.round(performance.now() - started),
      thread: currentThread().name,
    };
  }),
];

const script = `
const form = document.querySelector("form"), bar = document.querySelector("progress"), seen = document.getElementById("seen");
const show = (rows) => {
  seen.replaceChildren(...Object.entries(rows).flatMap(([name, value]) => {
    const dt = document.createElement("dt"), dd = document.createElement("dd");
    dt.textContent = name;
    dd.textContent = typeof value === "number" ? value.toLocaleString("en") : value;
    return [dt, dd];
  }));
};
const send = (body) => {
  const request = new XMLHttpRequest();
  request.open("PUT", "/api/upload");
  request.setRequestHeader("content-type", "application/octet-stream");
  request.upload.onprogress = (event) => { bar.value = event.loaded / event.total; };
  request.onload = () => show(JSON.parse(request.responseText));
  request.onerror = () => show({ failed: "the connection was lost" });
  request.send(body);
};
form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (form.file.files[0]) send(form.file.files[0]); else show({ failed: "choose a file first" });
});
document.getElementById("made").onclick = () => send(new Blob(Array(64).fill(new Uint8Array(1024 * 1024))));
`;
