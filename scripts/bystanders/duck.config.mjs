export default {
  app: "./app.mjs",
  server: { headersTimeoutMs: 10_000, requestTimeoutMs: 12_000, stallTimeoutMs: 10_000 },
  log: { level: "warn", pretty: false },
};
