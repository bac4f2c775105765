/**
 * Measures duck-ts beside the bare platform and its peers.
 *
 *   pnpm bench [http|tasks|blocking|stream|start ...] [--quick] [--check] [--json FILE] [--only BENCH] [--record]
 *
 * --quick   a third of the time, for a look
 * --check   compares ours to the baseline with bench/recorded.json, and exits with 1 where a ratio fell by over 25%
 * --json    writes all figures to a file
 * --only    one bench of a part, by name
 * --record  keeps the result: in bench/recorded.json, and as a table in docs/performance.md
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { disturbedBy } from "./harness/figure.mjs";
import { startMeter } from "./harness/foreign-load.mjs";
import { fallen, record } from "./harness/recorded.mjs";
import { figureText, machine, machineLine } from "./harness/report.mjs";
import { benchesOf, runBench } from "./harness/run-part.mjs";
import { loadGenerator } from "./harness/wrk.mjs";

const known = ["start", "blocking", "tasks", "stream", "http"];

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: "boolean", default: false },
    check: { type: "boolean", default: false },
    record: { type: "boolean", default: false },
    json: { type: "string" },
    only: { type: "string" },
  },
});
const wrong = positionals.find((part) => !known.includes(part));
if (wrong !== undefined) {
  console.error(`There is no part "${wrong}". Expected: ${known.join(", ")}.`);
  process.exit(2);
}

if (options.record && (options.only !== undefined || options.quick)) {
  console.error("--record keeps whole parts, measured at full length: give no --only and no --quick with it.");
  process.exit(2);
}

const about = machine();
console.log(machineLine(about));
console.log(`Load from ${loadGenerator}. Behind each median stands the middle half of the rounds.\n`);

const from = performance.now();
const parts = [];
const failures = [];
for (const part of positionals.length > 0 ? positionals : known) {
  const figures = [];
  console.log(`${part}\n`);
  for (const bench of await benchesOf(part)) {
    if (options.only !== undefined && options.only !== bench.name) continue;
    const foreignShare = startMeter();
    const { figures: measured = [], error } = await runBench(part, bench, options.quick);
    const foreign = foreignShare();
    if (error !== undefined) {
      failures.push(`${part} ${bench.name}: ${error}`);
      console.log(`  ${bench.name} FAILED: ${error}\n`);
    }
    for (const figure of measured) {
      const told = disturbedBy(figure, foreign);
      console.log(`${figureText(told)}\n`);
      figures.push(told);
    }
  }
  parts.push({ part, figures });
}

const verdicts = parts.flatMap(({ figures }) =>
  figures.flatMap(({ targets }) => targets.map(({ verdict }) => verdict)),
);
const count = (verdict) => verdicts.filter((one) => one === verdict).length;
console.log(
  `${count("reached")} reached, ${count("missed")} missed, ${count("too noisy to judge")} too noisy to judge, ` +
    `${failures.length} benches failed, in ${Math.round((performance.now() - from) / 1000)} s`,
);

if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify({ about, parts, failures }, null, 2)}\n`);
if (options.record) record(parts, about);
if (options.check) {
  const worse = fallen(parts);
  for (const line of worse) console.log(`FELL ${line}`);
  if (worse.length === 0) console.log("Nothing fell by more than a quarter of what was recorded.");
  else process.exitCode = 1;
}
if (failures.length > 0) process.exitCode = 1;
