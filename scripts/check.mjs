// All of CI: everything that can be said about this repository, one command. It stops at nothing, so one run tells all.
//
//   pnpm check [--no-tests] [vitest's filters]
//
// The build, and what only reads files, is cached by turbo. The tests always run: a race that did not show last time is
// no proof. They run alone, since they measure time.
import { spawn } from "node:child_process";
import { runPacked } from "./packed.mjs";
import { closingLines, runTests } from "./test.mjs";
import { root, tool } from "./tool.mjs";

const checks = [
  ["types", "check:types"],
  ["lint and format", "check:lint"],
  ["unused exports and dependencies", "check:unused"],
  ["public surface", "check:surface"],
  ["examples in the docs", "check:examples"],
  ["packages as published", "check:packages"],
];

const args = process.argv.slice(2);
const withTests = !args.includes("--no-tests");
const filters = args.filter((arg) => arg !== "--no-tests");
const summary = [];

await step("build", "build");
await inPairs(checks, ([title, task]) => step(title, `//#${task}`));

const counts = { passed: 0, failed: 0, skipped: 0 };
const failures = [];
if (withTests) {
  suite("tests", runTests);
  // What was asked for by name is looked at here; what is published is looked at whole.
  if (filters.length === 0) suite("tests on the packed packages", runPacked);
}

console.log("\n=== summary");
for (const { title, ok, took } of summary) console.log(`${ok ? "ok    " : "FAILED"}  ${took.padStart(7)}  ${title}`);

const broken = summary.filter(({ ok }) => !ok);
// The last line counts tests, and every other check that failed as one failure more, so it never says "0 failed"
// of a run that failed.
const failedChecks = broken.filter(({ title }) => !title.startsWith("tests")).length;
console.log();
if (withTests) console.log(closingLines({ ...counts, failed: counts.failed + failedChecks, failures }));
process.exit(broken.length === 0 ? 0 : 1);

function suite(title, runs) {
  console.log(`\n=== ${title}`);
  const started = performance.now();
  const { ok, failures: failed, ...found } = runs(filters, { printClosing: false });
  failures.push(...failed);
  for (const [what, number] of Object.entries(found)) counts[what] += number;
  record(title, ok, started);
}

function record(title, ok, started) {
  const took = `${((performance.now() - started) / 1000).toFixed(1)} s`;
  summary.push({ title, ok, took });
  return took;
}

async function step(title, task) {
  const started = performance.now();
  const { ok, output } = await turbo(task);
  const took = record(title, ok, started);
  console.log(`\n=== ${title} ${ok ? "" : "FAILED "}(${took})\n${withoutFrame(output)}`);
}

/** Runs one task of the root's turbo.json and keeps what it printed. */
function turbo(task) {
  const options = ["run", task, "--log-prefix=none", "--output-logs=full"];
  const child = spawn(process.execPath, [tool("turbo"), ...options], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, DUCK_NODE_VERSION: process.version, TURBO_TELEMETRY_DISABLED: "1", FORCE_COLOR: "0" },
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text) => {
      output += text;
    });
  }
  return new Promise((resolve) => {
    child.on("error", (error) => resolve({ ok: false, output: String(error) }));
    child.on("close", (code) => resolve({ ok: code === 0, output }));
  });
}

/** What the task printed, without what turbo and pnpm say about having run it. */
function withoutFrame(output) {
  const frame = /^(\s*• |\s*(Tasks|Cached|Time|Failed): |\[ELIFECYCLE\]|\$ | ERROR {2}run failed|\S+#\S+: {2}ERROR )/;
  const lines = output.split("\n").filter((line) => !frame.test(line));
  return lines
    .join("\n")
    .replace(/\n{3,}/g, "\n\n")
    .trim();
}

/** Two at a time: the smallest machine that this is meant for has two cores. */
async function inPairs(items, work) {
  const queue = [...items];
  const lane = async () => {
    for (let item = queue.shift(); item; item = queue.shift()) await work(item);
  };
  await Promise.all([lane(), lane()]);
}
