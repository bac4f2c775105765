import { currentThread } from "@duck-ts/runtime/internal";
import { known } from "./registry.ts";

/**
 * Before this thread ends in good order: its managers finish what is queued and running, and end their threads. Those of
 * `daemon: true` are left to end with this thread; nobody waits for their tasks. Resolves to how many tasks were given up at
 * `timeoutMs`.
 */
export async function stopOwnManagers({ timeoutMs }: { readonly timeoutMs: number }): Promise<number> {
  const here = currentThread().id;
  const reports = await Promise.all(
    [...known().own.values()]
      .filter((manager) => manager.owner.id === here && manager.outlives)
      .map((manager) => manager.stop({ timeoutMs })),
  );
  return reports.reduce((given, { cancelled, terminated }) => given + cancelled + terminated, 0);
}
