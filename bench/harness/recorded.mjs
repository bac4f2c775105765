import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { markdown } from "./report.mjs";

const file = new URL("../recorded.json", import.meta.url);
const page = new URL("../../docs/performance.md", import.meta.url);

/** A ratio that is worse than this share of the recorded one has fallen. */
const FALLEN = 0.75;

/** Keeps the ratios of whole parts for `--check`, those that nothing disturbed, and their tables in docs/performance.md. */
export function record(parts, { node, cores, cpu, ...rest }) {
  const recorded = read();
  let text = readFileSync(page, "utf8");
  for (const { part, figures } of parts) {
    const kept = withRatio(figures).filter(({ disturbed }) => disturbed !== true);
    const ratios = Object.fromEntries(kept.map(({ id, ratio }) => [id, Math.round(ratio * 1000) / 1000]));
    recorded[part] = { node, cores, cpu, ratios };
    const table = new RegExp(`(<!-- results of ${part} -->\\n).*(\\n<!-- end of ${part} -->)`, "s");
    if (!table.test(text)) throw new Error(`docs/performance.md has no <!-- results of ${part} --> to fill`);
    const filled = markdown(figures, { node, cores, cpu, ...rest });
    text = text.replace(table, (_all, begin, end) => `${begin}\n${filled}\n${end}`);
  }
  writeFileSync(file, `${JSON.stringify(recorded, null, 2)}\n`);
  writeFileSync(page, text);
}

/** What fell by more than a quarter since it was recorded, as sentences. */
export function fallen(parts) {
  const recorded = read();
  return parts.flatMap(({ part, figures }) =>
    withRatio(figures).flatMap(({ id, what, baseline, ratio, higherIsBetter }) => {
      const was = recorded[part]?.ratios[id];
      if (was === undefined) return [];
      const share = higherIsBetter ? ratio / was : was / ratio;
      if (share >= FALLEN) return [];
      return [`${id}: ${what}: ${ratio.toFixed(2)}x ${baseline}, recorded ${was.toFixed(2)}x`];
    }),
  );
}

const read = () => (existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {});

const withRatio = (figures) => figures.filter(({ ratio }) => ratio !== undefined && ratio > 0);
