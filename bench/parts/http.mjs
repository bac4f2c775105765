/** Requests: light ones, heavy ones, both together, one at a time; with many routes. */
import { once } from "node:events";
import { connect } from "node:net";
import { withChildren } from "../harness/child.mjs";
import { figure } from "../harness/figure.mjs";
import { mixedLoad } from "../harness/mixed-load.mjs";
import { alternate, pick } from "../harness/rounds.mjs";
import { wakeUps } from "../harness/served.mjs";
import { median } from "../harness/statistics.mjs";
import { openHop } from "../harness/thread.mjs";
import { calibrate } from "../harness/workload.mjs";
import { saturate } from "../harness/wrk.mjs";

const HEAVY_MS = 5;
const peers = {
  inline: { module: new URL("../peers/fastify-inline.mjs", import.meta.url) },
  tinypool: { module: new URL("../peers/fastify-tinypool.mjs", import.meta.url) },
  piscina: { module: new URL("../peers/fastify-piscina.mjs", import.meta.url) },
  cluster: { module: new URL("../peers/fastify-cluster.mjs", import.meta.url) },
  nodeHttp: { module: new URL("../peers/node-http.mjs", import.meta.url) },
};
const ours = (env = {}) => ({ module: new URL("../ours/server.mjs", import.meta.url), env });
const every = (servers, measure) =>
  Object.fromEntries(Object.entries(servers).map(([name, server]) => [name, (turn) => measure(server, turn)]));

export const benches = {
  async smallReplies({ rounds, seconds }) {
    const children = {
      ours: ours({ BENCH_WORKERS: "2" }),
      "Fastify inline": peers.inline,
      "Fastify + tinypool.run": peers.tinypool,
      "Fastify + piscina": peers.piscina,
      "cluster of 2": peers.cluster,
      "node:http": peers.nodeHttp,
    };
    const samples = await withChildren(children, (servers) =>
      alternate(
        rounds,
        every(servers, (server) => saturateAndWatch(server, "/json", seconds(3))),
      ),
    );
    const busy = median(pick(samples, "busy").ours);
    const cost = Object.entries(pick(samples, "cpuUs")).filter(([name]) => name !== "cluster of 2");
    return [
      figure({
        id: "http.small",
        what: "Small JSON reply, 10 browser headers, 64 connections, 2 workers",
        unit: "requests/s",
        samples: pick(samples, "perSecond"),
        baseline: "Fastify inline",
        targets: [
          { than: "Fastify inline", atLeast: 0.65 },
          { than: "Fastify + tinypool.run", atLeast: 1.7 },
          { than: "Fastify + piscina", atLeast: 1.5 },
        ],
        note:
          busy < 0.9
            ? `our main thread was busy ${Math.round(busy * 100)}% of the time: it was not the limit`
            : undefined,
      }),
      figure({
        id: "http.small.cpu",
        what: "The same: time of the cores that a reply takes, all threads",
        unit: "us",
        samples: Object.fromEntries(cost),
        baseline: "Fastify inline",
      }),
    ];
  },

  async heavyReplies({ rounds, seconds }) {
    const env = calibrate(HEAVY_MS);
    const children = {
      ours: ours({ ...env, BENCH_WORKERS: "2" }),
      "Fastify inline": { ...peers.inline, env },
      "Fastify + tinypool.run": { ...peers.tinypool, env },
      "Fastify + piscina": { ...peers.piscina, env },
      "cluster of 2": { ...peers.cluster, env },
    };
    const samples = await withChildren(children, (servers) =>
      alternate(
        rounds,
        every(servers, ({ port }) => saturate(`http://127.0.0.1:${port}/heavy`, { seconds: seconds(3) })),
      ),
    );
    return [
      figure({
        id: "http.heavy",
        what: "5 ms of synchronous work a request, 64 connections, 2 workers",
        unit: "requests/s",
        samples,
        baseline: "Fastify inline",
        targets: [
          { than: "Fastify inline", atLeast: 1.9 },
          { than: "cluster of 2", atLeast: 0.97 },
        ],
      }),
    ];
  },

  async mixClosed({ rounds, seconds }) {
    const env = calibrate(HEAVY_MS);
    const children = {
      ours: ours(env),
      "Fastify inline": { ...peers.inline, env },
      "cluster of 2": { ...peers.cluster, env },
    };
    const plan = { connections: 64, light: "/light", heavy: "/heavy", heavyShare: 0.1, warmUpMs: 500 };
    const samples = await withChildren(children, (servers) =>
      alternate(
        rounds,
        every(servers, ({ port }) => mixedLoad({ ...plan, port, forMs: seconds(4) * 1000 })),
      ),
    );
    const what = "10% heavy (5 ms), 90% light, 64 connections, no annotations";
    return [
      figure({
        id: "http.mix.total",
        what: `${what}: all`,
        unit: "requests/s",
        samples: pick(samples, "perSecond"),
        baseline: "Fastify inline",
        targets: [{ than: "cluster of 2", atLeast: 1 }],
      }),
      figure({
        id: "http.mix.light",
        what: `${what}: light p99`,
        unit: "ms",
        samples: pick(samples, "lightP99"),
        baseline: "Fastify inline",
        targets: [
          { than: "Fastify inline", atMost: 0.25 },
          { than: "cluster of 2", atMost: 0.5 },
        ],
      }),
      figure({
        id: "http.mix.heavy",
        what: `${what}: heavy p99`,
        unit: "ms",
        samples: pick(samples, "heavyP99"),
        baseline: "Fastify inline",
        targets: [{ than: "cluster of 2", atMost: 4 }],
      }),
    ];
  },

  async mixOpen({ rounds, seconds }) {
    const env = calibrate(HEAVY_MS);
    const children = { ours: ours(env), inline: { ...peers.inline, env } };
    const plan = {
      connections: 256,
      heavy: "/heavy",
      heavyShare: 0.1,
      perSecond: 1200,
      warmUpMs: 500,
      forMs: seconds(4) * 1000,
    };
    const samples = await withChildren(children, ({ ours: duck, inline }) =>
      alternate(rounds, {
        ours: () => mixedLoad({ ...plan, port: duck.port, light: "/light" }),
        "Fastify inline": () => mixedLoad({ ...plan, port: inline.port, light: "/light" }),
        'run: "main"': () => mixedLoad({ ...plan, port: duck.port, light: "/light-main" }),
      }),
    );
    const { ours: plain, "Fastify inline": inline, 'run: "main"': onMain } = pick(samples, "lightP99");
    const late = Math.max(...Object.values(pick(samples, "lateMs")).flat());
    const note = `the load generator itself came at most ${late.toFixed(1)} ms late`;
    const what = "The same, 1,200 requests/s offered, open loop, corrected";
    return [
      figure({
        id: "http.open.light",
        what: `${what}: light p99`,
        unit: "ms",
        samples: { ours: plain, "Fastify inline": inline },
        baseline: "Fastify inline",
        targets: [{ than: "Fastify inline", atMost: 0.25 }],
        note,
      }),
      figure({
        id: "http.open.main",
        what: `${what}: light p99, light route run: "main"`,
        unit: "ms",
        samples: { ours: onMain, "Fastify inline": inline },
        baseline: "Fastify inline",
        targets: [{ than: "Fastify inline", atMost: 1 / 6 }],
        note,
      }),
    ];
  },

  async firstByte({ rounds, count }) {
    const children = { ours: ours({ BENCH_WORKERS: "2" }), inline: peers.inline };
    const hop = await openHop();
    try {
      const samples = await withChildren(children, ({ ours: duck, inline }) =>
        alternate(rounds, {
          ours: () => atIdle(count(150), duck),
          "Fastify inline": () => atIdle(count(150), inline),
          hop: () => hopAtIdle(count(150), hop),
        }),
      );
      const { hop: hops, ...latencies } = pick(samples, "us");
      const { hop: hopWakes, ...wakes } = pick(samples, "wakeUps");
      const over = ({ ours, "Fastify inline": inline }) => ours.map((value, round) => value - inline[round]);
      return [
        figure({
          id: "http.idle",
          what: "Request to first byte at idle, one connection, p50",
          unit: "us",
          samples: latencies,
          baseline: "Fastify inline",
        }),
        figure({
          id: "http.idle.hops",
          what: "What that is over inline, beside a bare MessagePort round trip at idle (2 wake-ups)",
          unit: "us",
          samples: { ours: over(latencies), "bare round trip": hops },
          baseline: "bare round trip",
          targets: [{ than: "bare round trip", atMost: 1 }],
        }),
        figure({
          id: "http.idle.wake-ups",
          what: "Threads woken for a request at idle over inline, one connection, beside one hop there and back (Linux)",
          unit: "wake-ups",
          samples: { ours: over(wakes), "bare round trip": hopWakes },
          baseline: "bare round trip",
          targets: [{ than: "bare round trip", atMost: 1 }],
        }),
      ];
    } finally {
      await hop.close();
    }
  },

  async manyRoutes({ rounds, seconds }) {
    const children = {
      ours: ours({ BENCH_WORKERS: "2", BENCH_ROUTES: "994" }),
      "10 routes": ours({ BENCH_WORKERS: "2", BENCH_ROUTES: "4" }),
    };
    const samples = await withChildren(children, (servers) =>
      alternate(
        rounds,
        every(servers, ({ port }) => saturate(`http://127.0.0.1:${port}/json`, { seconds: seconds(2) })),
      ),
    );
    const cost = Object.fromEntries(
      Object.entries(samples).map(([name, all]) => [name, all.map((rate) => 1e6 / rate)]),
    );
    return [
      figure({
        id: "http.routes",
        what: "Routes 10 -> 1,000: cost of a small reply",
        unit: "us/request",
        samples: cost,
        baseline: "10 routes",
        targets: [{ than: "10 routes", atMost: 1.2 }],
      }),
    ];
  },
};

/** Where the load generator takes a core for itself, requests a second alone do not tell what a server could do. */
async function saturateAndWatch({ port, ask }, path, forSeconds) {
  const before = await ask("usage");
  const perSecond = await saturate(`http://127.0.0.1:${port}${path}`, { seconds: forSeconds });
  const after = await ask("usage");
  const active = after.active - before.active;
  return {
    perSecond,
    cpuUs: (after.cpuUs - before.cpuUs) / (perSecond * forSeconds),
    busy: active / (active + after.idle - before.idle),
  };
}

const IDLE_MS = 4;

/** One request at a time with a pause before each, so that every thread has gone to sleep. @returns the p50 in us, and wake-ups a request */
async function atIdle(requests, { port, ask }) {
  const socket = connect({ host: "127.0.0.1", port, noDelay: true });
  const request = `GET /json HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n\r\n`;
  try {
    const before = await ask("usage");
    const us = await medianOf(requests, () => {
      const answered = once(socket, "data");
      socket.write(request);
      return answered;
    });
    const after = await ask("usage");
    return { us, wakeUps: (after.wakeUps - before.wakeUps) / requests };
  } finally {
    socket.destroy();
  }
}

/**
 * The same for a bare MessagePort there and back. It wakes two threads, and counts more than two: Node posts with a lock
 * held that the thread it wakes wants too, and who waits for a lock has gone to sleep.
 */
async function hopAtIdle(times, hop) {
  const from = wakeUps();
  await medianOf(times, () => {});
  const between = wakeUps();
  const us = await medianOf(times, () => hop.send(1));
  return { us, wakeUps: (wakeUps() - between - (between - from)) / times };
}

async function medianOf(times, measured) {
  const took = [];
  for (let turn = 0; turn < times; turn++) {
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    const from = performance.now();
    await measured();
    took.push((performance.now() - from) * 1000);
  }
  return median(took);
}
