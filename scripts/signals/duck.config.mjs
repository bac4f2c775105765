export default {
  app: "./app.mjs",
  server: { shutdownTimeoutMs: 10_000 },
  requestHandling: { maxWorkers: 2 },
  // Its access lines are the other side's word for which requests were taken in.
  log: { level: "info", pretty: false },
};
