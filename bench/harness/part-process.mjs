/** Runs one bench of one part in this process, which ends with it, and sends its figures to ../run.mjs. */
const parts = {
  http: () => import("../parts/http.mjs"),
  tasks: () => import("../parts/tasks.mjs"),
  blocking: () => import("../parts/blocking.mjs"),
  stream: () => import("../parts/stream.mjs"),
  start: () => import("../parts/start.mjs"),
};

process.on("disconnect", () => process.exit());
process.on("message", async ({ part, bench, quick }) => {
  const { benches } = await parts[part]();
  if (bench === undefined) {
    process.send({ benches: Object.entries(benches).map(([name, { onOneCore = false }]) => ({ name, onOneCore })) });
    return;
  }
  const settings = {
    quick,
    rounds: quick ? 3 : 5,
    seconds: (full) => (quick ? Math.max(1, Math.round(full / 3)) : full),
    count: (full) => (quick ? Math.ceil(full / 3) : full),
  };
  try {
    process.send({ figures: await benches[bench](settings) });
  } catch (error) {
    process.send({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
});
