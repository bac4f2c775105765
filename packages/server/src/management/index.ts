export { listenForManagement, type ManagementListener } from "./listener.ts";
export { type ManagementOptions, managementMethods, managementPlugin } from "./plugin.ts";
export { createRequestMetrics } from "./request-metrics.ts";
export type { ManagementSource } from "./source.ts";
