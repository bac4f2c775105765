import { formatManagerTree, get, managerTree, threadLineage } from "@duck-ts/server";
import { markup } from "../view/markup.ts";
import { page } from "../view/page.ts";

export const threads = [
  get("/threads", async () =>
    page({
      path: "/threads",
      title: "See the threads",
      lead: "Every thread of this process below the one that asked for it, and the managers that it owns. It is asked for anew every second.",
      body: markup`<div class="stack">
<pre id="tree" aria-live="off">${formatManagerTree(await managerTree())}</pre>
<div class="card"><h2>How one is found</h2><p>This page was made in ${threadLineage()
        .map(({ name }) => name)
        .join(
          ", whose parent is ",
        )}. A look-up asks them in this order, the nearest that has the id wins: “guestbook” is main's, “render” each request thread's own.</p></div>
</div>`,
      script,
    }),
  ),
  get("/api/threads", async () => managerTree()),
  get("/api/threads.txt", async () => formatManagerTree(await managerTree())),
];

const script = `
setInterval(async () => {
  const response = await fetch("/api/threads.txt");
  if (response.ok) document.getElementById("tree").textContent = await response.text();
}, 1000);
`;
