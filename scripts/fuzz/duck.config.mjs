export default {
  app: "./app.mjs",
  server: { bodyLimitBytes: 400_000, headersTimeoutMs: 20_000, requestTimeoutMs: 20_000 },
  requestHandling: { maxWorkers: 2, timeoutMs: 10_000 },
  log: { level: "warn", pretty: false },
};
