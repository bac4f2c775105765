/**
 * The threads that requests run on, as the engine sees them: somebody who spawns one, says when it is ready and when it is
 * gone. Who is next, what is replaced and when is decided here; how a thread lives is the managers' business.
 */
import type { HostPoolOptions, HostedPool as ManagersPool } from "@duck-ts/managers/internal";

export type { HostedWorker, HostPoolOptions, WorkerExit } from "@duck-ts/managers/internal";
export type HostedPool = Pick<ManagersPool, "spawn" | "close">;
/** Makes a pool; the managers' in production, a fake in tests of the dispatcher. */
export type HostPool = (options: HostPoolOptions) => HostedPool;
