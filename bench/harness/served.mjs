/**
 * What a child process tells the bench: that it is ready, and later how much memory it holds.
 *
 * @param ready sent once, `{ port }` for a server
 * @param answers question -> its answer
 */
export function serve(ready, answers = {}) {
  const known = { memory: () => ({ rssMb: process.memoryUsage.rss() / 1048576 }), ...answers };
  process.on("message", async (question) => process.send(await known[question]()));
  process.on("disconnect", () => process.exit());
  process.on("SIGTERM", () => process.exit());
  process.send(ready);
}
