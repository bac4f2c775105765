import { cpus, loadavg } from "node:os";

/** Below this a machine counts as left alone before the run. */
const QUIET = 0.7;

export function machine() {
  const [cpu] = cpus();
  return {
    node: process.version,
    cores: cpus().length,
    cpu: cpu?.model.trim() ?? "unknown",
    platform: `${process.platform} ${process.arch}`,
    load: Math.round(loadavg()[0] * 100) / 100,
  };
}

export function machineLine({ node, cores, cpu, platform, load }) {
  const busy = load > QUIET ? ", which is busy: other work will show in the figures" : "";
  return `Node ${node}, ${cores} cores (${cpu}), ${platform}, load ${load} before the run${busy}`;
}

/** A figure as a person reads it in a terminal. */
export function figureText(figure) {
  const width = Math.max(...Object.keys(figure.contenders).map((name) => name.length));
  const lines = [`  ${figure.what} (${figure.unit})`];
  for (const [name, { low, mid, high }] of Object.entries(figure.contenders)) {
    const ratio = figure.baseline === undefined ? "" : `  ${ratioText(mid / figure.contenders[figure.baseline].mid)}`;
    const spread = `${number(low)} .. ${number(high)}`;
    lines.push(`    ${name.padEnd(width)}  ${number(mid).padStart(11)}${ratio.padStart(9)}   ${spread}`);
  }
  for (const target of figure.targets) lines.push(`    ${targetText(target, figure.unit)}`);
  if (figure.note !== undefined) lines.push(`    ${figure.note}`);
  return lines.join("\n");
}

export function targetText(target, unit) {
  return `${limitText(target, unit)}: ${seenText(target, unit)}, ${verdictText(target)}`;
}

export function limitText({ than, over, atLeast, atMost }, unit) {
  const bound = atLeast === undefined ? `at most ${number(atMost)}` : `at least ${number(atLeast)}`;
  if (than !== undefined) return `${bound}x ${than}`;
  return over === undefined ? `${bound} ${unit}` : `${bound} ${unit} over ${over}`;
}

export function seenText({ than, seen }, unit) {
  return than === undefined ? `${number(seen.mid)} ${unit}` : ratioText(seen.mid);
}

export function verdictText({ verdict, missedBy, seen }) {
  if (verdict === "missed") return `MISSED by ${Math.round(missedBy * 100)}%`;
  if (verdict === "reached") return "reached";
  return `too noisy to judge (${number(seen.low)} .. ${number(seen.high)})`;
}

/** The results as the table of docs/performance.md. */
export function markdown(parts, about) {
  const lines = [machineLine(about), "", "| what | ours | beside | to reach | seen |", "| --- | --- | --- | --- | --- |"];
  for (const { figures } of parts) {
    for (const { what, unit, contenders, targets } of figures) {
      const { ours, ...others } = contenders;
      const beside = Object.entries(others).map(([name, { mid }]) => `${name} ${number(mid)}`);
      const toReach = targets.map((target) => limitText(target, unit));
      const seen = targets.map((target) => `${seenText(target, unit)}, ${verdictText(target)}`);
      const cells = [`${what}, ${unit}`, number(ours.mid), beside.join("<br>"), toReach.join("<br>"), seen.join("<br>")];
      lines.push(`| ${cells.join(" | ")} |`);
    }
  }
  return lines.join("\n");
}

const ratioText = (ratio) => `${ratio >= 10 ? ratio.toFixed(1) : ratio.toFixed(2)}x`;

function number(value) {
  const size = Math.abs(value);
  const digits = size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : 2;
  return value.toLocaleString("en", { minimumFractionDigits: 0, maximumFractionDigits: digits });
}
