import { readFileSync, writeFileSync } from "node:fs";

const file = new URL("../recorded.json", import.meta.url);
const page = new URL("../../docs/performance.md", import.meta.url);
const table = /(<!-- results -->\n)[^]*(\n<!-- \/results -->)/;

/** A ratio that is worse than this share of the recorded one has fallen. */
const FALLEN = 0.75;

/** Keeps the ratios of a full run for `--check`, and its table in docs/performance.md. */
export function record(parts, about, markdown) {
  const ratios = Object.fromEntries(withRatio(parts).map(({ id, ratio }) => [id, Math.round(ratio * 1000) / 1000]));
  const { node, cores, cpu } = about;
  writeFileSync(file, `${JSON.stringify({ node, cores, cpu, ratios }, null, 2)}\n`);
  const text = readFileSync(page, "utf8");
  if (!table.test(text)) throw new Error("docs/performance.md has no <!-- results --> to fill");
  writeFileSync(page, text.replace(table, (_all, begin, end) => `${begin}\n${markdown}\n${end}`));
}

/** What fell by more than a quarter since the recorded run, as sentences. */
export function fallen(parts) {
  const { ratios } = JSON.parse(readFileSync(file, "utf8"));
  return withRatio(parts).flatMap(({ id, what, baseline, ratio, higherIsBetter }) => {
    const was = ratios[id];
    if (was === undefined) return [];
    const share = higherIsBetter ? ratio / was : was / ratio;
    if (share >= FALLEN) return [];
    return [`${id}: ${what}: ${ratio.toFixed(2)}x ${baseline}, recorded ${was.toFixed(2)}x`];
  });
}

const withRatio = (parts) =>
  parts.flatMap(({ figures }) => figures).filter(({ ratio }) => ratio !== undefined && ratio > 0);
