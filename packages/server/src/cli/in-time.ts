import { StartTimeoutError } from "./start-timeout-error.ts";

/**
 * What a start waits for is anybody's code: where that never ends, neither would the start. The timer also keeps the
 * process until then: one that waits for nothing but such code would end without a word.
 * @throws {StartTimeoutError} with what `message` makes of the time that was waited.
 */
export async function inTime<T>(
  starting: Promise<T>,
  deadlineMs: number,
  message: (waited: string) => string,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new StartTimeoutError(message(`${deadlineMs / 1000} s`))), deadlineMs);
  });
  try {
    return await Promise.race([starting, late]);
  } finally {
    clearTimeout(timer);
  }
}
