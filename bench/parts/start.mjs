/** What there is to pay before the first task and the first request: time, and memory that is held. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { request } from "node:http";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { startChild, withChildren } from "../harness/child.mjs";
import { figure } from "../harness/figure.mjs";
import { alternate, pick } from "../harness/rounds.mjs";
import { saturate } from "../harness/wrk.mjs";

export const benches = {
  async supervisor({ rounds }) {
    const samples = await alternate(rounds * 2, {
      ours: () => said(new URL("../ours/supervisor.mjs", import.meta.url)),
      "empty Worker": () => said(new URL("../peers/empty-worker.mjs", import.meta.url)),
    });
    const beside = { baseline: "empty Worker", targets: [{ than: "empty Worker", atMost: 1.5 }] };
    return [
      figure({
        id: "start.supervisor",
        what: "Supervisor: from nothing to its first answer",
        unit: "ms",
        samples: pick(samples, "ms"),
        ...beside,
      }),
      figure({
        id: "start.supervisor.memory",
        what: "Supervisor: resident memory",
        unit: "MB",
        samples: pick(samples, "mb"),
        ...beside,
      }),
    ];
  },

  async lookUp({ rounds }) {
    const { currentThread, getParentThread, threadLineage } = await import("@duck-ts/runtime");
    const { getOrCreateLoopManager } = await import("@duck-ts/managers");
    getOrCreateLoopManager("known");
    const samples = await alternate(rounds, {
      ours: () => usPerCall(() => [currentThread(), getParentThread(), threadLineage()]),
      manager: () => usPerCall(() => getOrCreateLoopManager("known")),
    });
    return [
      figure({
        id: "start.look-up",
        what: "Look-up of thread, parent and lineage",
        unit: "us",
        samples: { ours: samples.ours },
        targets: [{ atMost: 1 }],
      }),
      figure({
        id: "start.look-up.manager",
        what: "Look-up of a manager by its id, repeated",
        unit: "us",
        samples: { ours: samples.manager },
        targets: [{ atMost: 1 }],
      }),
    ];
  },

  async serve({ rounds }) {
    const cli = fileURLToPath(new URL("../bin/duck-ts.mjs", import.meta.resolve("@duck-ts/server")));
    const ours = {
      file: cli,
      args: ["serve", "--port", "0"],
      cwd: fileURLToPath(new URL("../../apps/demo/", import.meta.url)),
    };
    const bare = {
      file: fileURLToPath(new URL("../peers/fastify-demo.mjs", import.meta.url)),
      args: [],
      cwd: fileURLToPath(new URL("../", import.meta.url)),
    };
    // The first start of each, the warm-up, is the one that compiles; what counts is the second.
    const samples = await alternate(rounds, { ours: () => first200(ours), "bare Fastify": () => first200(bare) });
    return [
      figure({
        id: "start.serve",
        what: "`duck-ts serve` of apps/demo to its first 200, second start",
        unit: "ms",
        samples,
        baseline: "bare Fastify",
        targets: [{ than: "bare Fastify", atMost: 2.5 }],
      }),
    ];
  },

  async idleMemory({ rounds }) {
    const ours = { module: new URL("../ours/server.mjs", import.meta.url), env: { BENCH_WORKERS: "2" } };
    const bare = { module: new URL("../peers/fastify-inline.mjs", import.meta.url) };
    const contenders = { ours: () => idleRss(ours), "bare Fastify": () => idleRss(bare) };
    const samples = await alternate(rounds, contenders, { warmUp: false });
    const beside = { unit: "MB", baseline: "bare Fastify", targets: [{ over: "bare Fastify", atMost: 45 }] };
    return [
      figure({
        id: "start.memory",
        what: "Resident memory, 2 workers idle, just started",
        samples: pick(samples, "fresh"),
        ...beside,
      }),
      figure({
        id: "start.memory.used",
        what: "Resident memory, 2 workers idle again after a second of small requests",
        samples: pick(samples, "used"),
        ...beside,
      }),
    ];
  },
};

async function said(module) {
  const child = await startChild(module);
  await child.stop();
  return child;
}

function usPerCall(call) {
  const calls = 200_000;
  const from = performance.now();
  for (let turn = 0; turn < calls; turn++) call();
  return ((performance.now() - from) * 1000) / calls;
}

/** From the start of the process to the end of its first answer on /hello/you. */
async function first200({ file, args, cwd }) {
  const from = performance.now();
  const child = spawn(process.execPath, [file, ...args], { cwd, stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "exit");
  try {
    const url = await urlOf(child);
    const status = await answer(new URL("/hello/you", url));
    if (status !== 200) throw new Error(`${file} answered ${status}`);
    return performance.now() - from;
  } finally {
    child.kill("SIGKILL");
    await ended;
  }
}

/** The URL in what a server prints when it listens. */
async function urlOf(child) {
  const lines = createInterface({ input: child.stdout });
  const late = setTimeout(() => lines.close(), 20_000);
  try {
    for await (const line of lines) {
      const url = /http:\/\/127\.0\.0\.1:\d+/.exec(line);
      if (url !== null) return url[0];
    }
    throw new Error("it ended, or printed no URL within 20 s");
  } finally {
    clearTimeout(late);
  }
}

function answer(url) {
  return new Promise((resolve, reject) => {
    const asking = request(url, { agent: false }, (response) => {
      response.resume().on("end", () => resolve(response.statusCode));
    });
    asking.on("error", reject).end();
  });
}

/** At rest, before and after a second of requests. */
async function idleRss(server) {
  return withChildren({ server }, async ({ server: { port, ask } }) => {
    await delay(1_000);
    const fresh = await ask("memory");
    await saturate(`http://127.0.0.1:${port}/json`, { seconds: 1 });
    await delay(1_000);
    const used = await ask("memory");
    return { fresh: fresh.rssMb, used: used.rssMb };
  });
}
