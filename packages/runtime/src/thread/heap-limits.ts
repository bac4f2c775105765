import type { ResourceLimits } from "node:worker_threads";

/**
 * A worker that comes to its heap limit is granted 16 MiB more by Node, to end in good order. One garbage collection may
 * move a whole semi-space of survivors to the old generation at once; where that is larger, V8 finds the heap far past
 * even the grant, and aborts the whole process. A semi-space is a third of the young generation: 16 MiB on Node 20 and
 * 22, 64 MiB on Node 24, 32 MiB on Node 26. See docs/adr/0012.
 */
const YOUNG_GENERATION_MB = 24;

/** `limits`, with a young generation so small that running out of memory ends the thread and not the process. */
export function containedLimits(limits: ResourceLimits | undefined): ResourceLimits {
  return { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB, ...limits };
}
