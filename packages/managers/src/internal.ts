/** What the server builds on. No part of the public surface: it changes without notice. */
export * from "./index.ts";
export {
  type HostedPool,
  type HostedWorker,
  type HostPoolOptions,
  hostPool,
  REQUEST_POOL_ID,
  type WorkerExit,
} from "./pool/host-pool.ts";
export { stopOwnManagers } from "./stop-own.ts";
