import { get, getOrCreateLoopManager } from "@duck-ts/server";
import { z } from "zod";
import { type Duck, findDucks } from "../guide/ducks.ts";
import { renderGuide } from "../guide/render-guide.tsx";
import { markup, verbatim } from "../view/markup.ts";
import { page } from "../view/page.ts";

export const guide = [
  get("/guide", { query: z.object({ q: z.string().trim().max(60).default("") }) }, ({ query }) => {
    const loop = getOrCreateLoopManager({ id: "render", strictlyGet: true });
    const found: readonly Duck[] = findDucks(query.q);
    const rendered = loop.submitTask(renderGuide(query.q, found), { taskType: "render" }).result();
    return page({
      path: "/guide",
      title: "A field guide",
      lead: markup`Preact components, made into HTML by a task in this thread’s render loop. The handler blocked on it: no <code>await</code>.`,
      body: verbatim(rendered),
    });
  }),
];
