import { task } from "@duck-ts/server";
import { encodePng } from "./png.ts";

/** What to draw: a centre in the complex plane, and how many times nearer than the whole. */
export interface View {
  readonly x: number;
  readonly y: number;
  readonly zoom: number;
}

export const wholeSet: View = { x: -0.6, y: 0, zoom: 1 };

export const imageSize = { width: 960, height: 540 };

/** The part of the plane that an image shows at zoom 1, from side to side. */
const planeWidth = 4.2;

/** A task: called, it is a description of work, which any loop or pool with the right type can be given. */
export const drawMandelbrot = task(function drawMandelbrot(view: View): Uint8Array {
  const { width, height } = imageSize;
  const pixels = new Uint8Array(width * height * 3);
  const step = planeWidth / view.zoom / width;
  const deepest = Math.round(160 + 60 * Math.log2(view.zoom));
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const depth = escapeDepth(view.x + (column - width / 2) * step, view.y + (row - height / 2) * step, deepest);
      paint(pixels, (row * width + column) * 3, depth);
    }
  }
  return encodePng(width, height, pixels);
});

/** The point under a click on the image, twice as near. */
export function zoomInto(view: View, column: number, row: number): View {
  const step = planeWidth / view.zoom / imageSize.width;
  return {
    x: view.x + (column - imageSize.width / 2) * step,
    y: view.y + (row - imageSize.height / 2) * step,
    zoom: Math.min(view.zoom * 2.5, 1e12),
  };
}

/** A table of what the view is like along its middle line, made where the image is. */
export const surveyMandelbrot = task(function surveyMandelbrot(
  view: View,
  samples: number,
): { x: number; depth: number | null }[] {
  const width = planeWidth / view.zoom;
  return Array.from({ length: samples }, (_, index) => {
    const x = view.x - width / 2 + (width * (index + 0.5)) / samples;
    const depth = escapeDepth(x, view.y, 5_000_000);
    return { x, depth: depth < 0 ? null : Math.round(depth) };
  });
});

/** How soon a point escapes, smoothly; -1 where it stays. */
function escapeDepth(cx: number, cy: number, deepest: number): number {
  let [x, y, xx, yy] = [0, 0, 0, 0];
  for (let depth = 0; depth < deepest; depth++) {
    y = 2 * x * y + cy;
    x = xx - yy + cx;
    xx = x * x;
    yy = y * y;
    if (xx + yy > 256) return depth + 1 - Math.log2(Math.log2(xx + yy) / 2);
  }
  return -1;
}

/** Pond blues up to duck yellow; what stays is deep water. */
function paint(pixels: Uint8Array, at: number, depth: number): void {
  const t = depth < 0 ? 0 : 0.5 - 0.5 * Math.cos(Math.sqrt(depth) * 0.9);
  const [r, g, b] = depth < 0 ? [8, 24, 30] : [14 + 236 * t ** 1.6, 60 + 145 * t, 78 + 20 * t - 40 * t ** 3];
  pixels[at] = r as number;
  pixels[at + 1] = g as number;
  pixels[at + 2] = b as number;
}
