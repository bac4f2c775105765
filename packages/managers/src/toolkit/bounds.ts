/** How much a stream holds, and how long one waits for it: what users may give. */

export const DEFAULT_MAX_SIZE = 1024;

/** What a timer counts to; one that is set to more is over at once. */
export const LONGEST_MS: number = 2 ** 31 - 1;

export function checkMaxSize(maxSize: unknown, where: string): number {
  if (typeof maxSize !== "number")
    throw new TypeError(`${where}: maxSize must be a whole number (0: no bound), got ${typeof maxSize}.`);
  if (!Number.isInteger(maxSize) || maxSize < 0 || maxSize > 2 ** 30)
    throw new RangeError(`${where}: maxSize must be a whole number from 0 (no bound) to 2^30, got ${maxSize}.`);
  return maxSize;
}

export function checkMs(ms: unknown, name: string, where: string): number {
  if (typeof ms !== "number")
    throw new TypeError(`${where}: ${name} must be a number of milliseconds, got ${typeof ms}.`);
  if (Number.isNaN(ms) || ms < 0)
    throw new RangeError(`${where}: ${name} must be a number of milliseconds >= 0, got ${ms}.`);
  return ms;
}
