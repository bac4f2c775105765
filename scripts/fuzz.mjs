// What goes in comes out: arbitrary headers, cookies, queries, bodies, forms, chunks and replies against a real server,
// over raw sockets and undici, and against one whose requests a plugin's hook sees, so that Fastify writes the answers.
// What fails is shrunk to the smallest case that still does.
//
//   pnpm fuzz [--minutes N] [--seed S] [--runs N] [--only TEXT]
//
// Without --minutes each property is tried --runs times (100) its share, half of them on each server; with it, round after round, each with the next
// seed, until the time is over. Ends with a count, and with code 1 where something did not hold, the server ended, or a
// request thread was lost.
import { parseArgs } from "node:util";
import fc from "fast-check";
import { properties } from "./fuzz/properties.mjs";
import { serve } from "./served.mjs";

const lanes = 4;

const { values } = parseArgs({
  options: {
    minutes: { type: "string" },
    seed: { type: "string", default: String(Date.now() % 1e6) },
    runs: { type: "string", default: "100" },
    only: { type: "string", default: "" },
  },
});
const minutes = values.minutes === undefined ? 0 : Number(values.minutes);
const firstSeed = Number(values.seed);
const runs = Number(values.runs);
const chosen = Object.entries(properties).filter(([name]) => name.includes(values.only));
if (!(minutes >= 0) || !Number.isInteger(firstSeed) || !(runs > 0) || chosen.length === 0) {
  console.error("fuzz: --minutes and --runs take a number, --seed a whole number, --only a part of a property's name.");
  process.exit(2);
}

const alarming = [];
let over = false;
const servers = await Promise.all(["duck", "hooked"].map(start));
const begun = performance.now();
const until = begun + minutes * 60_000;
const failures = new Map();
const tried = new Map();

for (let seed = firstSeed; ; seed++) {
  const left = chosen.flatMap((property) => servers.map((server) => [property, server]));
  const lane = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) await check(...next, seed);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  if (performance.now() >= until || failures.size > 0 || alarming.length > 0) break;
}

over = true;
for (const { child, ended } of servers) {
  child.kill("SIGTERM");
  const exit = await ended;
  if (exit !== 0) alarming.push(`after SIGTERM it ended with ${exit}, expected 0`);
}

let total = 0;
for (const [name, cases] of tried) {
  total += cases;
  console.log(`${String(cases).padStart(8)}  ${failures.has(name) ? "FAILED  " : ""}${name}`);
}
for (const [name, report] of failures) console.log(`\n${name}\n${report}`);
for (const what of alarming) console.log(`the server: ${what}`);
console.log(`\n${total} cases in ${((performance.now() - begun) / 1000).toFixed(1)} s, seeds from ${firstSeed}`);
const held = failures.size === 0 && alarming.length === 0;
console.log(held ? "all held" : "NOT ALL HELD");
process.exit(held ? 0 : 1);

async function start(config) {
  const server = await serve(`scripts/fuzz/${config}.config.mjs`, (line) => {
    // A handler that fails is told of at error too, and here it is meant to: what counts is what befell the threads. Nor is
    // it their doing when a busy machine gives main no time.
    if (line.level >= 40 && line.requestId === undefined && line.lagMs === undefined) alarming.push(line.msg);
  });
  void server.ended.then((how) => {
    if (!over) alarming.push(`it ended by itself, with ${how}`);
  });
  return { ...server, config };
}

async function check([name, { share, arbitrary, holds }], { port, config }, seed) {
  const property = fc.asyncProperty(...arbitrary, async (...args) => {
    tried.set(name, (tried.get(name) ?? 0) + 1);
    await holds(port, ...args);
  });
  const limit = minutes > 0 ? { interruptAfterTimeLimit: Math.max(1000, until - performance.now()) } : {};
  const result = await fc.check(property, { seed, numRuns: Math.ceil((runs * share) / 2), ...limit });
  if (result.failed)
    failures.set(
      name,
      `on the server of ${config}.config.mjs: ${String(result.errorInstance)}\n${fc.defaultReportMessage(result)}`.slice(
        0,
        3000,
      ),
    );
}
