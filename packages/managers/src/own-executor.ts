import { threadWide } from "@duck-ts/runtime/internal";

/** The manager, by key, whose tasks this thread runs: a pool's worker or a loop's thread. */
export function ownExecutor(): { key: string | undefined } {
  return threadWide("own-executor", () => ({ key: undefined }));
}
