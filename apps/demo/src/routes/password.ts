import { currentThread, get, post } from "@duck-ts/server";
import { hashSync, verifySync } from "@node-rs/argon2";
import { z } from "zod";
import { markup } from "../view/markup.ts";
import { page } from "../view/page.ts";

const credentials = z.object({ password: z.string().min(1, "A password, please").max(200, "200 letters at most") });

/** Slow on purpose: 64 MiB of memory, three times over. */
const cost = { memoryCost: 65_536, timeCost: 3, parallelism: 1 };

export const password = [
  get("/password", () =>
    page({
      path: "/password",
      title: "Hash a password",
      lead: markup`Argon2 is slow on purpose. <code>hashSync</code> holds its thread all the while, and that is all there is to it: the others answer.`,
      body: markup`<div class="stack"><form class="card stack" novalidate>
<div><label for="password">Password (made up, please)</label><input id="password" type="password" autocomplete="off"><p class="error" id="password-error" role="alert"></p></div>
<button>Hash</button>
</form>
<div class="card" aria-live="polite"><h2>What came of it</h2><dl id="seen"><dt>Nothing yet</dt><dd></dd></dl></div></div>`,
      script,
    }),
  ),

  post("/api/password", { body: credentials }, ({ body }) => {
    const started = performance.now();
    const hash = hashSync(body.password, cost);
    const tookMs = Math.round(performance.now() - started);
    return { hash, verified: verifySync(hash, body.password), tookMs, thread: currentThread().name };
  }),
];

const script = `
const field = document.getElementById("password"), error = document.getElementById("password-error"), seen = document.getElementById("seen");
document.querySelector("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const response = await fetch("/api/password", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ password: field.value }),
  });
  const answer = await response.json();
  error.textContent = response.ok ? "" : (answer.details?.issues?.[0]?.message ?? answer.title);
  field.toggleAttribute("aria-invalid", false);
  if (!response.ok) return field.setAttribute("aria-invalid", "true");
  seen.replaceChildren(...Object.entries(answer).flatMap(([name, value]) => {
    const dt = document.createElement("dt"), dd = document.createElement("dd");
    dt.textContent = name;
    dd.textContent = String(value);
    return [dt, dd];
  }));
});
`;
