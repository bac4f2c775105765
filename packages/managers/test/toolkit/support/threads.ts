/** Threads that a test file leaves behind, and the collector that would have tidied up. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { managerTree, type ThreadNode } from "@duck-ts/managers";
import { afterAll, expect } from "vitest";
import { eventually } from "../../support/gates.ts";

function* nodes(tree: ThreadNode): Generator<ThreadNode> {
  yield tree;
  for (const child of tree.children) yield* nodes(child);
}

/** The living threads of a kind. */
export async function threadsOf(kind: ThreadNode["kind"]): Promise<ThreadNode[]> {
  return [...nodes(await managerTree())].filter((thread) => thread.alive && thread.kind === kind);
}

/** After the file's last test no thread of its own may run any more, and no pool may have work. */
export function leavesNoThread(): void {
  afterAll(async () => {
    await eventually(async () => (await threadsOf("separate")).length === 0, "the last separate thread to end");
    const busy = [...nodes(await managerTree())].flatMap(({ managers }) =>
      managers.filter(({ active, queued }) => active + queued > 0),
    );
    expect(busy).toEqual([]);
  });
}

/** Collects garbage when it is called. */
export function garbageCollector(): () => void {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as () => void;
}
