import { threadWide } from "@duck-ts/runtime/internal";

const own: { key: string | undefined } = threadWide("own-executor", () => ({ key: undefined }));

/** The manager, by key, whose tasks this thread runs: a pool's worker or a loop's thread. */
export function ownExecutor(): { key: string | undefined } {
  return own;
}
