import { currentThread, get, post } from "@duck-ts/server";
import { markup } from "../view/markup.ts";
import { page } from "../view/page.ts";

const deeds: readonly (readonly [path: string, title: string, text: string])[] = [
  ["block", "Block for 2 seconds", "Atomics.wait, a thread standing still: 200 afterwards"],
  ["loop", "Loop for ever", "for (;;);  504 after 3 seconds, thread replaced"],
  ["regex", "Match for ever", "a regular expression gone wrong: 504 after 3 seconds"],
  ["exit", "process.exit(1)", "the thread is gone: 502 at once, another takes its place"],
  ["throw", "Throw", "500, and the thread lives on"],
  ["reject", "Reject later", "an unhandled rejection outside of any request"],
];

/** Three seconds are enough for a deadline that one wants to see. */
const soon = { timeoutMs: 3000 };

export const misbehave = [
  get("/misbehave", () =>
    page({
      path: "/misbehave",
      title: "Misbehave",
      lead: "The bars below are small requests, four a second, and how long each took. Now do something terrible to the server, several times if you like.",
      body: markup`<div class="stack">
<div class="card sticky"><div class="deed"><h2>Everybody else meanwhile</h2><span class="mono" id="latest" aria-live="off">…</span></div>
<div class="pulse" id="pulse" role="img" aria-label="Latency of the last requests"></div></div>
<div class="grid">${deeds.map(
        ([path, title, text]) =>
          markup`<div class="card deed"><div><h2>${title}</h2><p>${text}</p><p class="verdict" id="${path}-verdict"></p></div><button class="plain" data-deed="${path}">Do it</button></div>`,
      )}</div>
<div><h2>What the server said</h2><ul class="log mono" id="log" aria-live="polite"></ul></div>
</div>`,
      script,
    }),
  ),

  get("/api/ping", () => ({ pong: true, thread: currentThread().name })),

  post("/api/misbehave/block", () => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2000);
    return { blocked: "2 s", thread: currentThread().name };
  }),

  post("/api/misbehave/loop", soon, () => {
    for (;;);
  }),

  post("/api/misbehave/regex", soon, () => ({ matched: /^(a+)+$/.test(`${"a".repeat(40)}!`) })),

  post("/api/misbehave/exit", () => process.exit(1)),

  post("/api/misbehave/throw", () => {
    throw new Error("thrown on purpose");
  }),

  post("/api/misbehave/reject", () => {
    setTimeout(() => void Promise.reject(new Error("rejected on purpose")), 10);
    return { rejecting: "in 10 ms", thread: currentThread().name };
  }),
];

const script = `
const pulse = document.getElementById("pulse"), latest = document.getElementById("latest"), log = document.getElementById("log");
const bars = matchMedia("(max-width: 40rem)").matches ? 60 : 120;
const ping = async () => {
  const from = performance.now(), bar = document.createElement("i");
  let failed = false, said = "";
  try {
    const response = await fetch("/api/ping");
    failed = !response.ok;
    said = failed ? response.status : (await response.json()).thread;
  } catch { failed = true; said = "no answer"; }
  const took = performance.now() - from;
  bar.style.height = Math.min(100, 6 + 30 * Math.log10(Math.max(1, took))) + "%";
  bar.className = failed ? "bad" : took > 500 ? "slow" : "";
  bar.title = Math.round(took) + " ms";
  pulse.append(bar);
  while (pulse.children.length > bars) pulse.firstChild.remove();
  latest.textContent = took.toFixed(0) + " ms  " + said;
};
setInterval(ping, 250); ping();
document.addEventListener("click", async (event) => {
  const deed = event.target.dataset?.deed;
  if (deed === undefined) return;
  const from = performance.now(), verdict = document.getElementById(deed + "-verdict"), line = document.createElement("li");
  const tell = (good, what) => {
    verdict.className = "verdict " + (good ? "ok" : "bad");
    verdict.textContent = what + " after " + Math.round(performance.now() - from).toLocaleString("en") + " ms";
  };
  verdict.className = "verdict";
  verdict.textContent = "…";
  try {
    const response = await fetch("/api/misbehave/" + deed, { method: "POST" });
    tell(response.ok, response.status);
    line.textContent = deed + "  " + (await response.text()).slice(0, 200);
  } catch (error) {
    tell(false, "no answer");
    line.textContent = deed + "  " + error.message;
  }
  log.prepend(line);
});
`;
