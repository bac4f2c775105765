// Keeps a server under everything at once, and sees to it that nothing is wrong, nothing hangs and nothing is left behind.
//
//   pnpm soak [--minutes N] [--seed S]
//
// Traffic of all kinds (see soak/clients.mjs) while a thread is killed every 200 ms and all of them are replaced every few
// seconds (SIGHUP). Ends with a summary, and with code 1 where something was wrong. The seed decides what the clients do.
import { spawn } from "node:child_process";
import { readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { seeded } from "./random.mjs";
import { agent, die, kinds, send } from "./soak/clients.mjs";
import { root } from "./tool.mjs";

const clients = 24;
const killEveryMs = 200;
const reloadEveryMs = 4000;
const warmUpMs = 5000;
const mib = 1024 * 1024;

const { values } = parseArgs({
  options: { minutes: { type: "string", default: "10" }, seed: { type: "string", default: String(Date.now() % 1e6) } },
});
const minutes = Number(values.minutes);
const seed = Number(values.seed);
if (!(minutes > 0) || !Number.isInteger(seed)) {
  console.error("soak: --minutes takes a number above 0, --seed a whole number.");
  process.exit(2);
}
console.log(`soak: ${minutes} minutes, seed ${seed}`);

const server = spawn(
  process.execPath,
  [join(root, "packages/server/bin/duck-ts.mjs"), "serve", "--port", "0", "--config", "scripts/soak/duck.config.mjs"],
  { cwd: root, env: { ...process.env, PORT: "", HOST: "" }, stdio: ["ignore", "pipe", "inherit"] },
);
const ended = new Promise((resolve) => server.on("exit", (code, signal) => resolve(signal ?? code)));
let over = false;
void ended.then((how) => {
  if (over) return;
  console.error(`soak: the server ended by itself, with ${how}`);
  process.exit(1);
});
const said = new Map();
const lines = createInterface({ input: server.stdout });
const at = await new Promise((resolve) => {
  setTimeout(() => resolve(undefined), 60_000).unref();
  lines.on("line", (line) => {
    const { msg = line, url, level = 0 } = line.startsWith("{") ? JSON.parse(line) : {};
    if (url !== undefined && String(msg).startsWith("duck-ts listens")) resolve(url);
    else if (level >= 40) count(said, String(msg).replace(/\b(request-(?:g\d+-)?)\d+|\b\d+(?:\.\d+)?\b/g, "#"));
  });
});
if (at === undefined) {
  server.kill("SIGKILL");
  console.error("soak: the server does not listen after a minute");
  process.exit(1);
}

const results = new Map(Object.keys(kinds).map((kind) => [kind, { right: 0, error: 0, cut: 0, left: 0 }]));
const wrong = new Map();
const samples = [];
let running = 0;
let descriptors = [];
let kills = 0;
let reloads = 0;
let busySince = 0;

// What a server that has seen everything once holds: the libraries' threads are there, code is compiled.
await traffic(warmUpMs, seed + 1, () => undefined);
const before = await settled();
const descriptorsBefore = descriptors;
for (const counts of results.values()) for (const kind of Object.keys(counts)) counts[kind] = 0;
[kills, reloads] = [0, 0];

busySince = performance.now();
await traffic(minutes * 60_000, seed, async () => {
  const metrics = await scrape();
  samples.push(metrics);
});
const tookMs = performance.now() - busySince;
const after = await settled();
over = true;
server.kill("SIGTERM");
const exit = await Promise.race([ended, delay(15_000, "no exit within 15 s")]);
if (typeof exit === "string") server.kill("SIGKILL");
summary();

/** Lets the clients loose for so long, with kills and reloads; resolves when the last answer is there. */
async function traffic(ms, from, sample) {
  const until = performance.now() + ms;
  const goesOn = () => performance.now() < until;
  const every = async (intervalMs, work) => {
    for (;;) {
      await delay(Math.min(intervalMs, Math.max(0, until - performance.now())));
      if (!goesOn()) return;
      await work();
    }
  };
  const loops = Array.from({ length: clients }, async (_, index) => {
    const random = seeded(from * 1000 + index);
    while (goesOn()) await one(pick(random), random);
  });
  await Promise.all([
    ...loops,
    every(killEveryMs, () => {
      kills++;
      // Not awaited: the next one shall come in time.
      void judge("die", die(at));
    }),
    every(reloadEveryMs, () => {
      reloads++;
      server.kill("SIGHUP");
    }),
    every(1000, sample),
  ]);
  const end = performance.now() + 40_000;
  while (running > 0 && performance.now() < end) await delay(20);
  if (running > 0) count(wrong, `${running} requests never ended`);
}

function one(kind, random) {
  const [, client] = kinds[kind];
  return judge(kind, client(at, random));
}

async function judge(kind, result) {
  running++;
  try {
    const outcome = await result;
    const counts = results.get(kind);
    if (counts !== undefined) counts[outcome]++;
  } catch (error) {
    count(wrong, `${kind}: ${error.message}`);
  } finally {
    running--;
  }
}

/** Idle again, all threads there: what the process has then. */
async function settled() {
  agent.destroy();
  let seen;
  let same = 0;
  for (const end = performance.now() + 30_000; performance.now() < end && same < 8; ) {
    await delay(250);
    const metrics = await scrape();
    agent.destroy();
    const now = {
      threads: entries("task"),
      descriptors: entries("fd"),
      heapMib: metrics.heapMib,
      rssMib: metrics.rssMib,
      restarts: metrics.restarts,
      terminated: metrics.terminated,
    };
    const idle = metrics.ready === metrics.wanted && metrics.inFlight === 0 && metrics.queued === 0;
    same = idle && seen?.threads === now.threads && seen?.descriptors === now.descriptors ? same + 1 : 0;
    seen = now;
  }
  return seen;
}

/** Threads and file descriptors, where the system tells (Linux). */
function entries(what) {
  try {
    const folder = `/proc/${server.pid}/${what}`;
    const names = readdirSync(folder);
    if (what === "fd") descriptors = names.map((name) => kindOf(join(folder, name))).sort();
    return names.length;
  } catch {
    return undefined;
  }
}

/** `socket:[4711]` and the like without their numbers; files by name. */
function kindOf(link) {
  try {
    return readlinkSync(link).replace(/:\[\d+\]/, "");
  } catch {
    return "gone";
  }
}

async function scrape() {
  const answer = await send(at, "GET", "/metrics");
  const text = answer.text();
  const value = (name) => Number(new RegExp(`^${name.replace(/[{}"]/g, "\\$&")} (\\S+)$`, "m").exec(text)?.[1]);
  // Whatever labels it has.
  const sum = (name) =>
    [...text.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, "gm"))].reduce(
      (all, [, one]) => all + Number(one),
      0,
    );
  return {
    atMs: performance.now() - busySince,
    heapMib: value("nodejs_heap_size_used_bytes") / mib,
    externalMib: value("nodejs_external_memory_bytes") / mib,
    rssMib: value("process_resident_memory_bytes") / mib,
    restarts: sum("duck_worker_restarts_total"),
    terminated: sum("duck_worker_kills_total"),
    ready: value('duck_workers{state="ready"}'),
    wanted: value('duck_workers{state="wanted"}'),
    inFlight: value("duck_requests_in_flight"),
    queued: value("duck_requests_queued"),
  };
}

function summary() {
  const rows = [...results].map(([kind, counts]) => ({ kind, ...counts }));
  const total = rows.reduce((sum, { right, error, cut, left }) => sum + right + error + cut + left, 0);
  console.log(
    `\n${total} requests in ${Math.round(tookMs / 1000)} s, ${kills} orders to a thread to end, ${reloads} reloads, seed ${seed}`,
  );
  console.log(
    `${after.restarts - before.restarts} threads replaced after their end, ${after.terminated - before.terminated} of them terminated by main`,
  );
  console.log("\nkind           right    clean error   stream cut   client left");
  for (const { kind, right, error, cut, left } of rows)
    console.log(
      `${kind.padEnd(12)}${String(right).padStart(8)}${String(error).padStart(15)}${String(cut).padStart(13)}${String(left).padStart(14)}`,
    );

  // The least of each stretch: what is left after a collection. After the first minute, or the first half of a short run,
  // everything is warm.
  const warm = Math.min(60_000, tookMs / 2);
  const stretch = Math.min(20_000, tookMs / 4);
  const least = (name, from) =>
    Math.min(...samples.filter(({ atMs }) => atMs >= from && atMs <= from + stretch).map((one) => one[name]));
  const both = (name) => [least(name, warm - stretch / 2), least(name, tookMs - stretch)];
  const shown = (name) =>
    both(name)
      .map((value) => value.toFixed(1))
      .join(" -> ");
  console.log(
    `\nafter ${Math.round(warm / 1000)} s and at the end, the least of ${Math.round(stretch / 1000)} s each, in MiB:`,
  );
  console.log(
    `main's heap ${shown("heapMib")}, outside the heap ${shown("externalMib")}; the whole process ${shown("rssMib")}`,
  );
  const idle = ({ threads, descriptors, heapMib, rssMib }) =>
    `${threads} threads, ${descriptors} descriptors, heap ${heapMib.toFixed(1)} MiB, resident ${rssMib.toFixed(0)} MiB`;
  console.log(`idle before: ${idle(before)}`);
  console.log(`idle after:  ${idle(after)}`);
  console.log(`exit after SIGTERM: ${exit}`);
  console.log("\nlines at warn and above:");
  for (const [text, times] of [...said].sort((a, b) => b[1] - a[1]).slice(0, 15))
    console.log(`${String(times).padStart(8)}  ${text.slice(0, 160)}`);

  for (const name of ["heapMib", "externalMib"]) {
    const [then, now] = both(name);
    if (!(now <= then * 1.25 + 8)) count(wrong, `main's memory grew: ${name} ${shown(name)}`);
  }
  if (after.threads !== undefined && after.threads > before.threads)
    count(wrong, `threads: ${before.threads} -> ${after.threads}`);
  const extra = newOnes(descriptorsBefore, descriptors).filter((kind) => kind !== "gone");
  if (extra.length > 0) count(wrong, `descriptors left: ${extra.join(" ")}`);
  if (exit !== 0) count(wrong, `exit code ${exit}, expected 0`);
  console.log(wrong.size === 0 ? "\nnothing wrong" : "\nWRONG:");
  for (const [text, times] of [...wrong].sort((a, b) => b[1] - a[1]).slice(0, 30))
    console.log(`${String(times).padStart(8)}  ${text}`);
  process.exit(wrong.size === 0 ? 0 : 1);
}

function newOnes(then, now) {
  const left = [...then];
  return now.filter((kind) => left.indexOf(kind) === -1 || left.splice(left.indexOf(kind), 1).length === 0);
}

function count(map, key) {
  map.set(key, (map.get(key) ?? 0) + 1);
}

function pick(random) {
  let left = random() * 100;
  for (const [kind, [weight]] of Object.entries(kinds)) {
    left -= weight;
    if (left < 0) return kind;
  }
  return "light";
}
