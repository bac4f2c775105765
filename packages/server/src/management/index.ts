export type { ManagementAnswer } from "./answers.ts";
export { listenForManagement, type ManagementListener } from "./listener.ts";
export { type ManagementOptions, managementPlugin } from "./plugin.ts";
export { createRequestMetrics, type RequestMetrics, type RouteDurations } from "./request-metrics.ts";
export type { EngineReport, ManagementSource, WorkersReport } from "./source.ts";
