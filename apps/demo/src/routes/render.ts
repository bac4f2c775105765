import { currentThread, get, getOrCreateLoopManager, reply } from "@duck-ts/server";
import { z } from "zod";
import { drawMandelbrot, imageSize, surveyMandelbrot, type View, wholeSet, zoomInto } from "../render/mandelbrot.ts";
import { markup } from "../view/markup.ts";
import { page } from "../view/page.ts";

const view = z.object({
  x: z.coerce.number().min(-3).max(3).default(wholeSet.x),
  y: z.coerce.number().min(-3).max(3).default(wholeSet.y),
  zoom: z.coerce.number().min(1).max(1e12).default(wholeSet.zoom),
});

/** An image as a button sends where it was clicked as `at.x` and `at.y`, in the pixels of its size on the screen. */
const clicked = view.extend({
  "at.x": z.coerce.number().optional(),
  "at.y": z.coerce.number().optional(),
  shownWidth: z.coerce.number().min(1).default(imageSize.width),
});

/** A number as print has it, with a real minus. */
const written = (value: number): string => value.toPrecision(9).replace("-", "−");

const nearer = (zoom: number) =>
  zoom === 1
    ? "the whole of it."
    : markup`${Math.round(zoom).toLocaleString("en")} times nearer than the whole. <a href="/render">Back to the whole</a>`;

const asQuery = ({ x, y, zoom }: View): string => `x=${x}&y=${y}&zoom=${zoom}`;

/** This thread's own loop, started by the render plugin. It takes tasks of the type "render" only. */
const renderLoop = () => getOrCreateLoopManager({ id: "render", strictlyGet: true });

export const render = [
  // Awaited: while the loop draws, this thread goes on with other requests.
  get("/render/image.png", { query: view }, async ({ query }) => {
    const image = await renderLoop().submitTask(drawMandelbrot(query), { taskType: "render" });
    return reply(200, image, { "content-type": "image/png", "cache-control": "max-age=3600" });
  }),

  // Blocked on: not one await in the handler, and nobody else has to wait for it.
  get("/render", { query: clicked }, ({ query }) => {
    const { "at.x": column, "at.y": row } = query;
    const scale = imageSize.width / query.shownWidth;
    const shown = column === undefined || row === undefined ? query : zoomInto(query, column * scale, row * scale);
    const survey = renderLoop().submitTask(surveyMandelbrot(shown, 8), { taskType: "render" }).result();
    return page({
      path: "/render",
      title: "Render an image",
      lead: markup`Click into the picture to go nearer. The page blocked on its table with <code>.result()</code>; the image is another request, whose handler awaits.`,
      body: markup`<div class="stack">
<form><figure>
<input type="image" name="at" alt="The Mandelbrot set; a click goes nearer" width="${imageSize.width}" height="${imageSize.height}" src="/render/image.png?${asQuery(shown)}">
<figcaption>Centre ${written(shown.x)} ${shown.y < 0 ? "−" : "+"} ${written(Math.abs(shown.y))} i, ${nearer(shown.zoom)}</figcaption>
</figure>
<input type="hidden" name="x" value="${shown.x}"><input type="hidden" name="y" value="${shown.y}"><input type="hidden" name="zoom" value="${shown.zoom}"><input type="hidden" name="shownWidth" value="${imageSize.width}">
</form>
<div class="card scroll"><h2>Along the middle line</h2><p>Counted in the loop of ${currentThread().name}: up to five million steps a point.</p>
<table><thead><tr><th>Point</th><th>Escapes after</th></tr></thead><tbody>
${survey.map(({ x, depth }) => markup`<tr><td>${x.toFixed(12).replace("-", "−")}</td><td>${depth === null ? "never" : `${depth.toLocaleString("en")} step${depth === 1 ? "" : "s"}`}</td></tr>`)}
</tbody></table></div>
</div>`,
      script: `document.forms[0].addEventListener("submit", (event) => {
  event.target.shownWidth.value = document.querySelector("input[type=image]").clientWidth;
});`,
    });
  }),
];
