/** Threads of which one outlives its parent. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { rootShared, spawnThread, type ThreadLink } from "@duck-ts/runtime/internal";
import { onTestFinished } from "vitest";
import { within } from "./gates.ts";
import type { Kind } from "./managers.ts";

export type Owner = {
  readonly id: number;
  readonly links: readonly ThreadLink[];
  readonly worker: Worker;
  terminate(): Promise<void>;
};

/** A raw Worker that owns and runs managers of these ids. */
export async function rawOwner(
  ids: Partial<Record<Kind, readonly string[]>>,
  resourceLimits: object = {},
  stands?: Int32Array,
): Promise<Owner> {
  const workerData = { ids, stands };
  const worker = new Worker(new URL("../fixtures/owner.mjs", import.meta.url), { workerData, resourceLimits });
  worker.on("error", () => undefined);
  const [links] = (await within(once(worker, "message"), "a raw worker to own managers")) as [readonly ThreadLink[]];
  const terminate = async (): Promise<void> => void (await worker.terminate());
  onTestFinished(terminate);
  return { id: links[0]?.id as number, links, worker, terminate };
}

type Seen = { readonly before: unknown; readonly ran: unknown; readonly after: unknown; readonly remembered: unknown };

/** What a thread below `parent` sees (fixtures/orphan.mjs). It is this thread that spawns it, so it outlives its parent. */
export async function orphanOf(
  parent: readonly ThreadLink[],
  data: { readonly kind: Kind; readonly id: string; readonly found: Int32Array; readonly goOn: Int32Array },
): Promise<Seen> {
  const identity = { name: "orphan", kind: "separate", ancestors: parent, root: rootShared() } as const;
  const worker = spawnThread(new URL("../fixtures/orphan.mjs", import.meta.url), { identity, data, transfer: [] });
  try {
    const [seen] = (await within(once(worker, "message"), "an orphan to tell what it saw")) as [Seen];
    return seen;
  } finally {
    await worker.terminate();
  }
}
