export default {
  app: "./app.mjs",
  server: { shutdownTimeoutMs: 5000 },
  requestHandling: { maxWorkers: 3, timeoutMs: 5000, maxQueue: 200, memoryLimitMb: 128 },
  log: { level: "warn", pretty: false },
};
