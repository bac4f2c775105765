import { cpus, loadavg } from "node:os";

/** Below this a machine counts as left alone before the run. */
const QUIET = 0.7;

/** From this share of the cores on, what other processes took is told. */
const NOTICED = 0.08;

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
  if (figure.foreign > NOTICED)
    lines.push(`    other processes took ${percent(figure.foreign)} of the cores meanwhile`);
  if (figure.note !== undefined) lines.push(`    ${figure.note}`);
  return lines.join("\n");
}

function targetText(target, unit) {
  return `${limitText(target, unit)}: ${seenText(target, unit)}, ${verdictText(target)}`;
}

function limitText({ than, over, atLeast, atMost }, unit) {
  const bound = atLeast === undefined ? `at most ${number(atMost)}` : `at least ${number(atLeast)}`;
  if (than !== undefined) return `${bound}x ${than}`;
  return over === undefined ? `${bound} ${unit}` : `${bound} ${unit} over ${over}`;
}

function seenText({ than, seen }, unit) {
  return than === undefined ? `${number(seen.mid)} ${unit}` : ratioText(seen.mid);
}

function verdictText({ verdict, missedBy, seen }) {
  if (verdict === "missed") return `MISSED by ${percent(missedBy)}`;
  if (verdict === "reached") return "reached";
  return `too noisy to judge (${number(seen.low)} .. ${number(seen.high)})`;
}

/** The results of a part as a table of docs/performance.md. */
export function markdown(figures, about) {
  const rows = figures.map(({ what, unit, contenders, targets, foreign }) => {
    const { ours, ...others } = contenders;
    const disturbed = foreign > NOTICED ? `<br>(other processes took ${percent(foreign)} of the cores)` : "";
    const cells = [
      `${what}, ${unit}${disturbed}`,
      number(ours.mid),
      Object.entries(others)
        .map(([name, { mid }]) => `${name} ${number(mid)}`)
        .join("<br>"),
      targets.map((target) => limitText(target, unit)).join("<br>"),
      targets.map((target) => `${seenText(target, unit)}, ${verdictText(target)}`).join("<br>"),
    ];
    return `| ${cells.join(" | ")} |`;
  });
  const head = ["| what | ours | beside | to reach | seen |", "| --- | --- | --- | --- | --- |"];
  return [`${machineLine(about)}.`, "", ...head, ...rows].join("\n");
}

const percent = (share) => `${Math.round(share * 100)}%`;

const ratioText = (ratio) => `${ratio >= 10 ? ratio.toFixed(1) : ratio.toFixed(2)}x`;

function number(value) {
  const size = Math.abs(value);
  const digits = size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : 2;
  return value.toLocaleString("en", { minimumFractionDigits: 0, maximumFractionDigits: digits });
}
