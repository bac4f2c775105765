/** Tasks that are awaited: one hop, one at a time, many at a time, many queued; buffers moved; iterables. */
import { Worker } from "node:worker_threads";
import { figure } from "../harness/figure.mjs";
import { alternate } from "../harness/rounds.mjs";
import { canPin } from "../harness/run-part.mjs";
import { median } from "../harness/statistics.mjs";
import { openHop } from "../harness/thread.mjs";
import { startPiscina } from "../peers/piscina.mjs";
import { startPoolifier } from "../peers/poolifier.mjs";
import { startTinypool } from "../peers/tinypool.mjs";
import { startWorkerpool } from "../peers/workerpool.mjs";

const IN_FLIGHT = 1_000;

export const benches = {
  hop: Object.assign(
    async (settings) => {
      const samples = await hops(settings);
      return [
        figure({
          id: "tasks.hop",
          what: "One awaited no-op on a loop, p50, all threads on one core",
          unit: "us",
          samples,
          baseline: "bare port",
          targets: [{ than: "bare port", atMost: 1.2 }],
          note: canPin ? undefined : "there is no taskset here: all cores were used",
        }),
      ];
    },
    { onOneCore: true },
  ),

  async hopOnAllCores(settings) {
    const samples = await hops(settings);
    return [
      figure({
        id: "tasks.hop.all-cores",
        what: "The same, the threads where the scheduler puts them",
        unit: "us",
        samples,
        baseline: "bare port",
      }),
    ];
  },

  oneAtATime: Object.assign(
    async ({ rounds, count }) => {
      const { noop, startPool } = await import("../ours/tasks.mjs");
      const pool = startPool();
      const tinypool = startTinypool(1);
      const piscina = startPiscina(1);
      const calls = count(3_000);
      const samples = await alternate(rounds, {
        pool: () => p50(calls, () => pool.submitTask(noop())),
        tinypool: () => p50(calls, tinypool.call),
        piscina: () => p50(calls, piscina.call),
      });
      await Promise.all([pool.stop(), tinypool.close(), piscina.close()]);
      return [
        figure({
          id: "tasks.one",
          what: "One no-op task at a time on a pool that the thread owns, p50, on one core",
          unit: "us",
          samples: { ours: samples.pool, tinypool: samples.tinypool, piscina: samples.piscina },
          baseline: "tinypool",
          targets: [{ than: "tinypool", atMost: 1.15 }],
        }),
      ];
    },
    { onOneCore: true },
  ),

  async inFlight({ rounds, seconds }) {
    const { noop, startPool } = await import("../ours/tasks.mjs");
    const pool = startPool();
    const peers = {
      tinypool: startTinypool(IN_FLIGHT),
      piscina: startPiscina(IN_FLIGHT),
      workerpool: startWorkerpool(),
      poolifier: startPoolifier(),
    };
    const ms = seconds(3) * 500;
    const contenders = Object.entries(peers).map(([name, { call }]) => [name, () => perSecond(call, ms)]);
    const samples = await alternate(rounds, {
      ours: () => perSecond(() => pool.submitTask(noop()), ms),
      ...Object.fromEntries(contenders),
    });
    await Promise.all([pool.stop(), ...Object.values(peers).map((peer) => peer.close())]);
    const best = Object.keys(peers).reduce((a, b) => (median(samples[a]) >= median(samples[b]) ? a : b));
    return [
      figure({
        id: "tasks.in-flight",
        what: "No-op tasks, 1,000 in flight, 1 worker (peers: 1,000 tasks a worker)",
        unit: "tasks/s",
        samples,
        baseline: "tinypool",
        targets: [
          { than: "tinypool", atLeast: 4 },
          { than: best, atLeast: 2 },
        ],
        note: `the best peer is ${best}`,
      }),
    ];
  },

  async queued({ rounds, count }) {
    const { noop, startPool } = await import("../ours/tasks.mjs");
    const pool = startPool();
    const total = count(200_000);
    // Counted by a callback a task: a hundred thousand promises in Promise.all() have a cost of their own, see below.
    const settled = (queued) => whenAllAreDone(queued, () => pool.submitTask(noop()));
    const awaited = (queued) => Promise.all(Array.from({ length: queued }, () => pool.submitTask(noop())));
    const samples = await alternate(rounds, {
      ours: () => costQueued(settled, 200_000, 1),
      "100,000 queued": () => costQueued(settled, 100_000, 2),
      "10,000 queued": () => costQueued(settled, 10_000, total / 10_000),
      "100 queued": () => costQueued(settled, 100, total / 100),
      "100,000 awaited": () => costQueued(awaited, 100_000, 2),
      "100 awaited": () => costQueued(awaited, 100, total / 100),
    });
    await pool.stop();
    return [
      figure({
        id: "tasks.queued",
        what: "200,000 no-op tasks queued at once, beside fewer: cost",
        unit: "us/task",
        samples: pickNames(samples, ["ours", "100,000 queued", "10,000 queued", "100 queued"]),
        baseline: "100 queued",
        targets: [{ than: "100 queued", atMost: 1.3 }],
      }),
      figure({
        id: "tasks.queued.awaited",
        what: "100,000 no-op tasks awaited at once by Promise.all(), beside 100: cost",
        unit: "us/task",
        samples: { ours: samples["100,000 awaited"], "100 awaited": samples["100 awaited"] },
        baseline: "100 awaited",
      }),
      figure({
        id: "tasks.queued.1e5",
        what: "Queued 100 -> 100,000: cost",
        unit: "us/task",
        samples: { ours: samples["100,000 queued"], "100 queued": samples["100 queued"] },
        baseline: "100 queued",
        targets: [{ than: "100 queued", atMost: 1.2 }],
      }),
    ];
  },

  async moved({ rounds, count }) {
    const { length, startPool } = await import("../ours/tasks.mjs");
    const pool = startPool();
    const hop = await openHop();
    const calls = count(600);
    const submit = async (moves) => {
      const bytes = new Uint8Array(1 << 20);
      const future = pool.submitTask(length(bytes), moves ? { transfer: [bytes.buffer] } : {});
      if (moves !== (bytes.byteLength === 0)) throw new Error(`1 MB was ${moves ? "copied" : "moved"}`);
      await future;
    };
    const samples = await alternate(rounds, {
      ours: () => p50(calls, () => submit(true)),
      copied: () => p50(calls, () => submit(false)),
      "bare port": () =>
        p50(calls, () => {
          const bytes = new Uint8Array(1 << 20);
          return hop.send(bytes, [bytes.buffer]);
        }),
    });
    await Promise.all([pool.stop(), hop.close()]);
    return [
      figure({
        id: "tasks.moved",
        what: "A task with 1 MB in `transfer`: moved (checked), beside copied, p50",
        unit: "us",
        samples,
        baseline: "bare port",
        targets: [{ than: "copied", atMost: 1 }],
      }),
    ];
  },

  threadedCall: Object.assign(
    async ({ rounds, count }) => {
      const { noop, startPool } = await import("../ours/tasks.mjs");
      const { noop: threadedNoop } = await import("../ours/toolkit.mjs");
      const pool = startPool();
      const piscina = startPiscina(1);
      const calls = count(3_000);
      const onThatPool = threadedNoop.with({ executor: pool });
      const samples = await alternate(rounds, {
        ours: () => p50(calls, () => onThatPool()),
        "default pool": () => p50(calls, () => threadedNoop()),
        "pool.submitTask": () => p50(calls, () => pool.submitTask(noop())),
        "piscina.run": () => p50(calls, piscina.call),
      });
      await Promise.all([pool.stop(), piscina.close()]);
      return [
        figure({
          id: "tasks.threaded",
          what: "One call of a `threaded` no-op at a time, on the pool that submitTask has, p50, on one core",
          unit: "us",
          samples,
          baseline: "pool.submitTask",
          targets: [
            { than: "pool.submitTask", atMost: 1.1 },
            { than: "piscina.run", atMost: 1 },
          ],
        }),
      ];
    },
    { onOneCore: true },
  ),

  async iterables({ rounds, count }) {
    const ours = await import("../ours/toolkit.mjs");
    const streams = new Worker(new URL("../peers/readable-stream.mjs", import.meta.url));
    const messages = new Worker(new URL("../peers/message-per-item.mjs", import.meta.url));
    const through = (items, numbers) => () => itemsPerSecond(items, () => numbers(items));
    const samples = await alternate(rounds, {
      1: through(count(3_000), ours.numbersOf1),
      16: through(count(30_000), ours.numbersOf16),
      1024: through(count(300_000), ours.numbersOf1024),
      unbounded: through(count(300_000), ours.numbersUnbounded),
      stream: () => itemsPerSecond(count(20_000), () => transferred(streams, count(20_000))),
      messages: () => messagesPerSecond(count(200_000), messages, "number"),
      nested: through(count(100_000), ours.nested1024),
      "nested messages": () => messagesPerSecond(count(100_000), messages, "nested"),
    });
    await Promise.all([streams.terminate(), messages.terminate()]);
    const beside = { ReadableStream: samples.stream, "message per item": samples.messages };
    const sized = (size, label, targets) =>
      figure({
        id: `tasks.iterable.${size}`,
        what: `threadedIterable, maxSize ${label}`,
        unit: "items/s",
        samples: { ours: samples[size], ...beside },
        baseline: "message per item",
        targets,
      });
    return [
      sized("1", "1"),
      sized("16", "16"),
      sized("1024", "1,024", [
        { than: "ReadableStream", atLeast: 5 },
        { than: "message per item", atLeast: 2 },
      ]),
      sized("unbounded", "unbounded"),
      figure({
        id: "tasks.iterable.nested",
        what: "threadedIterable of nested objects, maxSize 1,024",
        unit: "items/s",
        samples: { ours: samples.nested, "message per item": samples["nested messages"] },
        baseline: "message per item",
        targets: [{ than: "message per item", atLeast: 2 }],
      }),
    ];
  },
};

/** @returns the median of one call after the other, in microseconds */
async function p50(calls, call) {
  const took = [];
  for (let turn = 0; turn < calls; turn++) {
    const from = performance.now();
    await call();
    took.push((performance.now() - from) * 1000);
  }
  return median(took);
}

async function perSecond(call, ms) {
  const from = performance.now();
  let calls = 0;
  const again = async () => {
    while (performance.now() - from < ms) {
      await call();
      calls++;
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, again));
  return (calls * 1000) / (performance.now() - from);
}

async function hops({ rounds, count }) {
  const { noop, startLoop } = await import("../ours/tasks.mjs");
  const loop = startLoop();
  const hop = await openHop();
  const calls = count(20_000); // on one core the compiler takes its time from the same core, until it is done
  const samples = await alternate(rounds, {
    ours: () => p50(calls, () => loop.submitTask(noop())),
    "bare port": () => p50(calls, () => hop.send(1)),
  });
  await Promise.all([loop.stop(), hop.close()]);
  return samples;
}

async function costQueued(all, queued, times) {
  const from = performance.now();
  for (let turn = 0; turn < times; turn++) await all(queued);
  return ((performance.now() - from) * 1000) / (queued * Math.ceil(times));
}

function whenAllAreDone(count, submit) {
  return new Promise((resolve) => {
    let left = count;
    const done = () => {
      if (--left === 0) resolve();
    };
    for (let i = 0; i < count; i++) submit().addDoneCallback(done);
  });
}

const pickNames = (samples, names) => Object.fromEntries(names.map((name) => [name, samples[name]]));

async function itemsPerSecond(items, open) {
  const from = performance.now();
  let seen = 0;
  for await (const _ of await open()) seen++;
  if (seen !== items) throw new Error(`${seen} of ${items} items came`);
  return (items * 1000) / (performance.now() - from);
}

async function transferred(worker, items) {
  const stream = new Promise((resolve) => worker.once("message", resolve));
  worker.postMessage(items);
  return stream;
}

async function messagesPerSecond(items, worker, kind) {
  const from = performance.now();
  await new Promise((resolve) => {
    let seen = 0;
    const count = () => {
      if (++seen < items) return;
      worker.off("message", count);
      resolve();
    };
    worker.on("message", count);
    worker.postMessage({ kind, count: items });
  });
  return (items * 1000) / (performance.now() - from);
}
