/** A call that blocks for its answer, from main, the argument sent there and back. */
import { figure } from "../harness/figure.mjs";
import { alternate, pick } from "../harness/rounds.mjs";
import { quantile } from "../harness/statistics.mjs";

const sizes = [
  { id: "100", label: "100 B", bytes: 100, calls: 3_000 },
  { id: "10k", label: "10 KB", bytes: 10_000, calls: 1_500 },
  { id: "1m", label: "1 MB", bytes: 1_000_000, calls: 240 },
];

export const benches = {
  async calls({ rounds, count }) {
    const { echo, startLoop, startPool } = await import("../ours/tasks.mjs");
    const { echo: synckit } = await import("../peers/synckit.mjs");
    const { echo: makeSynchronous } = await import("../peers/make-synchronous.mjs");
    const loop = startLoop();
    const pool = startPool();

    const figures = [];
    for (const { id, label, bytes, calls } of sizes) {
      const argument = "x".repeat(bytes);
      const samples = await alternate(rounds, {
        ours: () => timed(count(calls), () => loop.submitTask(echo(argument)).result()),
        "ours, pool": () => timed(count(calls), () => pool.submitTask(echo(argument)).result()),
        synckit: () => timed(count(calls), () => synckit(argument)),
        "make-synchronous": () => timed(count(calls), () => makeSynchronous(argument)),
      });
      figures.push(
        figure({
          id: `blocking.${id}.p50`,
          what: `Blocking call, ${label}, p50`,
          unit: "us",
          samples: pick(samples, "p50"),
          baseline: "synckit",
          targets: [{ than: "synckit", atMost: 1 }],
        }),
        figure({
          id: `blocking.${id}.p99`,
          what: `Blocking call, ${label}, p99`,
          unit: "us",
          samples: pick(samples, "p99"),
          baseline: "synckit",
          targets: [{ than: "synckit", atMost: 2 }],
        }),
      );
    }
    await Promise.all([loop.stop(), pool.stop()]);
    return figures;
  },
};

function timed(calls, call) {
  const took = [];
  for (let turn = 0; turn < calls; turn++) {
    const from = performance.now();
    call();
    took.push((performance.now() - from) * 1000);
  }
  return { p50: quantile(took, 0.5), p99: quantile(took, 0.99) };
}
