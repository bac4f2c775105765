import { get, getOrCreateLoopManager, post, reply } from "@duck-ts/server";
import { z } from "zod";
import { addEntry, listEntries } from "../guestbook/book.ts";
import type { Entry } from "../guestbook/store.ts";
import { type Markup, markup } from "../view/markup.ts";
import { page } from "../view/page.ts";

const newEntry = z.object({
  name: z.string().trim().min(1, "Who are you?").max(40, "40 letters at most"),
  text: z.string().trim().min(3, "A little more, please").max(280, "280 letters at most"),
});

/** Main's loop: this thread has no such id, its parent has, so that is the one. */
const book = () => getOrCreateLoopManager({ id: "guestbook", strictlyGet: true });
const guarded = { taskType: "guestbook" };

export const guestbook = [
  get("/guestbook", () => {
    const { place, entries } = book().submitTask(listEntries(), guarded).result();
    return page({
      path: "/guestbook",
      title: "Guestbook",
      lead: "Kept by one loop that belongs to main. Every request thread finds it by lineage, and blocks while it reads or writes. Leave a field empty to see what zod says.",
      body: markup`<div class="stack"><form class="card stack" novalidate>
<div><label for="name">Name</label><input id="name" name="name" autocomplete="name"><p class="error" id="name-error" role="alert"></p></div>
<div><label for="text">Message</label><textarea id="text" name="text" rows="2"></textarea><p class="error" id="text-error" role="alert"></p></div>
<button>Sign</button>
</form>
<p class="made">The entries are kept ${place}.</p>
<ol class="entries">${entries.map(entryItem)}</ol></div>`,
      script,
    });
  }),

  get("/api/guestbook", () => book().submitTask(listEntries(), guarded).result().entries),

  post("/api/guestbook", { body: newEntry }, ({ body }) => {
    const entry = book().submitTask(addEntry(body.name, body.text), guarded).result();
    return reply(201, entry, { location: "/api/guestbook" });
  }),
];

function entryItem({ name, text, at }: Entry): Markup {
  return markup`<li><b>${name}</b> <small><time datetime="${at}">${at.slice(0, 16).replace("T", " ")}</time></small><br>${text}</li>`;
}

const script = `
const form = document.querySelector("form");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  for (const field of ["name", "text"]) {
    form[field].removeAttribute("aria-invalid");
    document.getElementById(field + "-error").textContent = "";
  }
  const response = await fetch("/api/guestbook", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name: form.name.value, text: form.text.value }),
  });
  if (response.ok) return location.reload();
  const problem = await response.json();
  for (const issue of problem.details?.issues ?? []) {
    const field = ["name", "text"].find((name) => issue.path[0] === name);
    if (field === undefined) continue;
    form[field].setAttribute("aria-invalid", "true");
    document.getElementById(field + "-error").textContent = issue.message;
  }
});
`;
