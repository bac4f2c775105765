// What others feel: the latency of a light route while nothing is the matter, and while something is, in turn.
//
//   pnpm bystanders [nothing wait compute exec headers bodies readers ...] [--pairs N] [--slow N]
//
// wait, compute, exec: one handler holds its thread for 2 s (Atomics.wait, an endless computation, execSync).
// headers, bodies, readers: 500 clients drip their headers or bodies, or read, at one byte a second; after the last pair
// they are left alone until the server has cut every one of them. `nothing` compares idle with idle: the machine's noise.
// Told are the ratio of all windows together, that of each kind's calmer windows (the lower quartile of their p99s), and
// what a bare node:http server, which has no slow clients, did in the same windows: where that one's ratio is no better, it
// is the machine that is busy with other things, and the slow clients' own work, that is measured.
import { fork } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { serve } from "./served.mjs";
import { root } from "./tool.mjs";

const kinds = ["nothing", "wait", "compute", "exec", "headers", "bodies", "readers"];
const blockMs = 2000;
const windowMs = 2000;
const perSecond = 250;
/** The longest timeout in the config, twice: Node looks at intervals, and a socket's timer may begin late. */
const cutWithinMs = 40_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { pairs: { type: "string", default: "8" }, slow: { type: "string", default: "500" } },
});
const pairs = Number(values.pairs);
const slowCount = Number(values.slow);
const unknown = positionals.find((kind) => !kinds.includes(kind));
if (unknown !== undefined || !(pairs > 0) || !(slowCount > 0)) {
  console.error(`bystanders: expected ${kinds.join(", ")}, and --pairs and --slow above 0.`);
  process.exit(2);
}

let bad = false;
for (const kind of positionals.length > 0 ? positionals : kinds) bad = !(await run(kind)) || bad;
process.exit(bad ? 1 : 0);

async function run(kind) {
  const server = await serve("scripts/bystanders/duck.config.mjs");
  const measurer = fork(join(root, "scripts/bystanders/measure.mjs"));
  const slow = fork(join(root, "scripts/bystanders/slow.mjs"));
  const control = fork(join(root, "scripts/bystanders/control.mjs"));
  const controlMeasurer = fork(join(root, "scripts/bystanders/measure.mjs"));
  try {
    const controlPort = (await ask(control, "listen")).port;
    const window = async () => {
      const [own, bare] = await Promise.all([
        ask(measurer, { port: server.port, forMs: windowMs, perSecond }),
        ask(controlMeasurer, { port: controlPort, forMs: windowMs, perSecond }),
      ]);
      return { ...own, bare: bare.latencies };
    };
    // Compiled, connected, every thread there.
    await window();
    const disturb = disturbances(kind, server, slow);
    const idle = [];
    const disturbed = [];
    const p99s = { calm: [], other: [] };
    const bare = { calm: [], other: [] };
    let undisturbed = 0;
    let failed = 0;
    for (let pair = 0; pair < pairs; pair++) {
      const calm = await window();
      await disturb.begin();
      const other = await window();
      if (disturb.stands?.() === false) undisturbed++;
      await disturb.end();
      failed += calm.failed + other.failed;
      idle.push(...calm.latencies);
      disturbed.push(...other.latencies);
      p99s.calm.push(p(calm.latencies, 0.99));
      p99s.other.push(p(other.latencies, 0.99));
      bare.calm.push(...calm.bare);
      bare.other.push(...other.bare);
    }
    const ratio = p(disturbed, 0.99) / p(idle, 0.99);
    const calmer = [p(p99s.calm, 0.25), p(p99s.other, 0.25)];
    console.log(
      `${kind}: p99 ${ms(p(idle, 0.99))} idle, ${ms(p(disturbed, 0.99))} disturbed: ratio ${ratio.toFixed(2)}; ` +
        `calmer windows ${ms(calmer[0])} and ${ms(calmer[1])}: ratio ${(calmer[1] / calmer[0]).toFixed(2)}; ` +
        `the bare server beside it ${ms(p(bare.calm, 0.99))} and ${ms(p(bare.other, 0.99))}: ` +
        `ratio ${(p(bare.other, 0.99) / p(bare.calm, 0.99)).toFixed(2)}; ` +
        `p50 ${ms(p(idle, 0.5))} and ${ms(p(disturbed, 0.5))}; ${idle.length + disturbed.length} requests, ${failed} failed`,
    );
    if (undisturbed > 0) console.log(`  NOT MEASURED: in ${undisturbed} windows clients had been cut before it ended`);
    const cut = (await disturb.cut?.()) ?? true;
    return cut && failed === 0 && undisturbed === 0;
  } finally {
    measurer.kill();
    control.kill();
    controlMeasurer.kill();
    slow.kill("SIGKILL");
    server.child.kill("SIGTERM");
    await Promise.race([server.ended, delay(12_000)]);
    server.child.kill("SIGKILL");
  }
}

/** How a window is disturbed, and what is seen to afterwards. */
function disturbances(kind, server, slow) {
  if (kind === "nothing") return { begin: async () => undefined, end: async () => undefined };
  if (["wait", "compute", "exec"].includes(kind)) {
    let held;
    return {
      begin: async () => {
        held = fetch(`${server.url}/${kind}/${blockMs}`);
      },
      end: async () => void (await held).arrayBuffer(),
    };
  }
  let burstMs = 0;
  const open = () => ask(slow, { kind, port: server.port, count: slowCount });
  return {
    begin: async () => {
      await open();
      burstMs = Math.max(burstMs, await calm(server));
    },
    stands: () => sockets(server) > slowCount,
    end: async () => {
      await ask(slow, "leave");
      await until(() => sockets(server) < 40, 10_000);
      await calm(server);
    },
    /** All of them are cut, in time; and what they cost. */
    cut: async () => {
      const before = rssMib(server);
      const others = sockets(server);
      const begun = performance.now();
      const statuses = new Map();
      let [first, last, cut] = [Number.POSITIVE_INFINITY, 0, 0];
      slow.on("message", (said) => {
        if (said.cut === undefined) return;
        cut++;
        first = Math.min(first, said.cut);
        last = Math.max(last, said.cut);
        statuses.set(said.status, (statuses.get(said.status) ?? 0) + 1);
      });
      await open();
      await until(() => sockets(server) > others + slowCount - 5, 2000);
      let peak = 0;
      const gone = await until(() => {
        peak = Math.max(peak, rssMib(server));
        return sockets(server) <= others;
      }, cutWithinMs);
      const took = performance.now() - begun;
      await delay(200);
      console.log(`  until the server was calm with them: ${ms(burstMs)} at most`);
      const answers = [...statuses].map(([status, times]) => `${times} with ${status || "no answer"}`).join(", ");
      console.log(
        gone
          ? `  all ${slowCount} cut after ${(took / 1000).toFixed(1)} s` +
              (cut > 0 ? ` (the clients say ${ms(first)} to ${ms(last)}; ${answers})` : "")
          : `  NOT ALL CUT: ${sockets(server)} sockets are left after ${cutWithinMs} ms`,
      );
      console.log(
        `  resident: ${before.toFixed(0)} MiB before, ${peak.toFixed(0)} at most, ${rssMib(server).toFixed(0)} after`,
      );
      return gone;
    },
  };
}

function ask(child, what) {
  return new Promise((resolve, reject) => {
    const over = (settle, value) => {
      child.off("message", heard);
      child.off("exit", died);
      settle(value);
    };
    const heard = (said) => said.cut === undefined && over(resolve, said);
    const died = () => over(reject, new Error("a client process ended by itself"));
    child.on("message", heard);
    child.on("exit", died);
    child.send(what);
  });
}

/**
 * Until the server does next to nothing: what clients that read hardly anything set off first is that the kernel's buffers
 * are filled for each of them. Says how long that took.
 */
async function calm(server) {
  const begun = performance.now();
  for (let before = cpuTicks(server), quiet = 0; quiet < 6 && performance.now() < begun + 15_000; ) {
    await delay(250);
    const now = cpuTicks(server);
    // A tick is 10 ms.
    quiet = now - before <= 5 ? quiet + 1 : 0;
    before = now;
  }
  return performance.now() - begun;
}

function cpuTicks({ child }) {
  const fields = readFileSync(`/proc/${child.pid}/stat`, "utf8").split(") ")[1].split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

async function until(check, limitMs) {
  for (const end = performance.now() + limitMs; performance.now() < end; await delay(20)) if (check()) return true;
  return check();
}

/** The sockets that the server has open, its listening one and what Node has for itself included. */
function sockets({ child }) {
  const folder = `/proc/${child.pid}/fd`;
  return readdirSync(folder).filter((name) => {
    try {
      return readlinkSync(join(folder, name)).startsWith("socket:");
    } catch {
      return false;
    }
  }).length;
}

function rssMib({ child }) {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]) / 1024;
}

function p(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

function ms(value) {
  return `${value.toFixed(value < 10 ? 2 : 0)} ms`;
}
