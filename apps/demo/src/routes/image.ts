import { get, HttpError, put, reply } from "@duck-ts/server";
import { z } from "zod";
import { markup } from "../view/markup.ts";
import { page } from "../view/page.ts";

const widths = [160, 320, 640];
const query = z.object({ width: z.coerce.number().int().min(16).max(2000).default(320) });

export const image = [
  get("/image", () =>
    page({
      path: "/image",
      title: "Resize an image",
      lead: "sharp makes it smaller, in WebP. Each size is a request of its own, so they are made side by side.",
      body: markup`<div class="stack">
<form class="card stack">
<div><label for="file">Image, up to 20 MiB</label><input id="file" name="file" type="file" accept="image/*"></div>
<div class="row"><button>Resize</button><button type="button" class="plain" id="drawn">Take the one from /render</button></div>
<p class="error" id="error" role="alert"></p>
</form>
<div class="sizes" aria-live="polite">${widths.map((width) => markup`<figure><img data-width="${width}" alt="" hidden><figcaption></figcaption></figure>`)}</div>
</div>`,
      script,
    }),
  ),

  put("/api/image", { query, streamBody: false, bodyLimitBytes: 20 * 1024 * 1024 }, async ({ query, request }) => {
    const source = new Uint8Array(await request.arrayBuffer());
    if (source.length === 0) throw new HttpError(400, "There is no image in the body");
    // Native code, loaded by the first request of a thread that needs it.
    const { default: sharp } = await import("sharp");
    const resized = await sharp(source, { limitInputPixels: 50_000_000 })
      .rotate()
      .resize({ width: query.width, withoutEnlargement: true })
      .webp({ quality: 80 })
      .toBuffer()
      .catch((error: Error) => {
        throw new HttpError(415, `Not an image that can be read: ${error.message}`);
      });
    return reply(200, resized, { "content-type": "image/webp" });
  }),
];

const script = `
const form = document.querySelector("form"), error = document.getElementById("error");
const resize = async (body) => {
  error.textContent = "";
  await Promise.all([...document.querySelectorAll("img[data-width]")].map(async (img) => {
    const from = performance.now();
    const response = await fetch("/api/image?width=" + img.dataset.width, {
      method: "PUT", headers: { "content-type": "application/octet-stream" }, body,
    });
    img.hidden = !response.ok;
    img.nextElementSibling.textContent = "";
    if (!response.ok) { const problem = await response.json(); error.textContent = problem.detail ?? problem.title; return; }
    const small = await response.blob(), took = Math.round(performance.now() - from);
    img.src = URL.createObjectURL(small);
    await img.decode();
    img.alt = "The image, " + img.naturalWidth + " pixels wide";
    img.nextElementSibling.textContent = img.naturalWidth + " × " + img.naturalHeight + ", " + small.size.toLocaleString("en") + " bytes, " + took + " ms";
  }));
};
form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (form.file.files[0]) resize(form.file.files[0]); else error.textContent = "Choose an image first";
});
document.getElementById("drawn").onclick = async () => resize(await (await fetch("/render/image.png")).blob());
`;
