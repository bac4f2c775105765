// Signals under 64 busy connections: not one request that the server has taken in may be lost.
//
//   pnpm soak:signals [--rounds N] [--seed S]
//
// N times SIGTERM, each to a server of its own, and N times SIGHUP to one server; 50 where nothing is said. What became
// of a request is told by both sides: by the client (signals/client.mjs) and by the server's access lines. Ends with a
// summary, and with code 1 where something was lost.
//
// SIGTERM: a request is answered, or refused with 503 and `Connection: close`, or it never got to the server. That last
// case is one that HTTP leaves open: a client may write on a kept connection in the moment in which the server closes
// it. Such a request counts as crossed where the connection ended cleanly, without a byte, and the server did nothing
// for it; with a reset it counts as lost. SIGHUP: every request is answered, on a connection that is kept.
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { seeded } from "./random.mjs";
import { serve } from "./served.mjs";
import { keepAsking } from "./signals/client.mjs";

const connections = 64;
const config = "scripts/signals/duck.config.mjs";
/** From signal to end; the server's own limit is 10 s. */
const longestMs = 20_000;
/** What may become of a request that the server knows nothing of, after the signal. */
const turnedAway = new Set(["crossed", "unmet"]);

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "50" }, seed: { type: "string", default: String(Date.now() % 1e6) } },
});
const rounds = Number(values.rounds);
const seed = Number(values.seed);
if (!(Number.isInteger(rounds) && rounds > 0) || !Number.isInteger(seed)) {
  console.error("signals: --rounds takes a whole number above 0, --seed a whole number.");
  process.exit(2);
}
const random = seeded(seed);
const lost = [];
const totals = { SIGTERM: new Map(), SIGHUP: new Map() };
let busyAtSignal = 0;
let slowestMs = 0;

console.log(`signals: ${connections} connections, ${rounds} times each, seed ${seed}`);
const begun = performance.now();
for (let round = 0; round < rounds; round++) await terminate(round);
await hangUp();
summary();

/** One server, one SIGTERM. */
async function terminate(round) {
  const taken = new Set();
  const server = await serve(config, (line) => {
    // What came while it drained was refused: it is not taken in.
    if (line.requestId !== undefined && line.outcome !== "draining") taken.add(line.requestId);
  });
  const crowd = await gather(server.port, `t${round}`, () => true);
  await delay(30 + random() * 120);
  const signalled = performance.now();
  busyAtSignal += crowd.asking();
  server.child.kill("SIGTERM");
  const exit = await Promise.race([server.ended, delay(longestMs, "no exit", { ref: false })]);
  slowestMs = Math.max(slowestMs, performance.now() - signalled);
  if (exit !== 0) {
    lost.push(`SIGTERM ${round}: ended with ${exit}`);
    server.child.kill("SIGKILL");
  }
  await crowd.done();
  for (const [id, { outcome, at }] of crowd.outcomes) {
    const may = at >= signalled && (outcome === "refused" || (turnedAway.has(outcome) && !taken.has(id)));
    count(totals.SIGTERM, outcome);
    if (outcome !== "answered" && !may)
      lost.push(`SIGTERM ${round}: ${id} ${outcome}${taken.has(id) ? ", and the server had taken it" : ""}`);
  }
  for (const id of taken) if (!crowd.outcomes.has(id)) lost.push(`SIGTERM ${round}: ${id} has no outcome`);
}

/** One server, one SIGHUP after the other. */
async function hangUp() {
  let reloaded = () => undefined;
  const said = (line) => {
    if (/^Reloaded|cannot be used/.test(String(line.msg))) reloaded(line.msg);
  };
  const server = await serve(config, said);
  let on = true;
  const crowd = await gather(server.port, "h", () => on);
  for (let round = 0; round < rounds; round++) {
    await delay(20 + random() * 80);
    const signalled = performance.now();
    busyAtSignal += crowd.asking();
    const heard = new Promise((resolve) => {
      reloaded = resolve;
    });
    server.child.kill("SIGHUP");
    const what = await Promise.race([heard, server.ended, delay(longestMs, "nothing", { ref: false })]);
    slowestMs = Math.max(slowestMs, performance.now() - signalled);
    if (!String(what).startsWith("Reloaded")) lost.push(`SIGHUP ${round}: ${what}`);
  }
  on = false;
  await crowd.done();
  for (const [id, { outcome }] of crowd.outcomes) {
    count(totals.SIGHUP, outcome);
    if (outcome !== "answered") lost.push(`SIGHUP: ${id} ${outcome}`);
  }
  server.child.kill("SIGTERM");
  const exit = await Promise.race([server.ended, delay(longestMs, "no exit", { ref: false })]);
  if (exit !== 0) lost.push(`SIGHUP: the server ended with ${exit}`);
  server.child.kill("SIGKILL");
}

/** 64 clients, once each of them has had an answer. Every eighth rests between its requests; the others hardly do. */
async function gather(port, name, goesOn) {
  const outcomes = new Map();
  let begun = 0;
  let ready;
  const all = new Promise((resolve) => {
    ready = resolve;
  });
  const busy = new Set();
  const clients = Array.from({ length: connections }, async (_, index) => {
    const own = seeded(Math.floor(random() * 2 ** 32));
    let answered = 0;
    busy.add(index);
    await keepAsking({
      port,
      name: `${name}.${index}`,
      random: own,
      pauseMs: () => {
        busy.delete(index);
        const pause = index % 8 === 0 ? own() * 400 : own() < 0.5 ? 0 : own() * 3;
        setTimeout(() => busy.add(index), pause);
        return pause;
      },
      goesOn,
      report: (id, outcome) => {
        outcomes.set(id, { outcome, at: performance.now() });
        if (++answered === 1 && ++begun === connections) ready();
      },
    });
    busy.delete(index);
  });
  const done = Promise.all(clients);
  await Promise.race([all, delay(longestMs, undefined, { ref: false })]);
  return { outcomes, asking: () => busy.size, done: () => done };
}

function summary() {
  const took = ((performance.now() - begun) / 1000).toFixed(0);
  console.log(`\n${rounds} SIGTERM and ${rounds} SIGHUP in ${took} s, seed ${seed}`);
  console.log(
    `connections busy at the signal, on average: ${(busyAtSignal / (2 * rounds)).toFixed(1)} of ${connections}`,
  );
  console.log(`slowest from signal to exit, or to all threads replaced: ${Math.round(slowestMs)} ms`);
  for (const [signal, outcomes] of Object.entries(totals)) {
    const told = [...outcomes].map(([outcome, times]) => `${times} ${outcome}`).join(", ");
    console.log(`${signal}: ${told}`);
  }
  console.log(`lost: ${lost.length}`);
  for (const line of lost.slice(0, 30)) console.log(`  ${line}`);
  process.exit(lost.length === 0 ? 0 : 1);
}

function count(map, key) {
  map.set(key, (map.get(key) ?? 0) + 1);
}
