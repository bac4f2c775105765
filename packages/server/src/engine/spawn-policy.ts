/** When a lost worker is replaced: at once, unless workers die by the dozen or cannot start. Pure. */

/** So many failed starts in a row, and the server says that it is not ready. */
export const START_ATTEMPTS = 3;
const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 30_000;
/** So many deaths are replaced at once, and so many more a second: requests that kill threads must not eat the machine. */
const FREE_DEATHS = 10;
const FREE_DEATHS_PER_SECOND = 10;
const PAUSE_MS = 100;

export class SpawnPolicy {
  #failedStarts = 0;
  #free = FREE_DEATHS;
  #lastDeath = 0;

  /** A worker became ready. */
  started(): void {
    this.#failedStarts = 0;
  }
  /** A worker died before it was ready; says how long to wait before the next try. */
  failedToStart(): number {
    this.#failedStarts++;
    return Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (this.#failedStarts - 1));
  }
  /** A ready worker died by itself at `nowMs`; says how long to wait before the next one. */
  died(nowMs: number): number {
    const regained = ((nowMs - this.#lastDeath) / 1000) * FREE_DEATHS_PER_SECOND;
    this.#free = Math.min(FREE_DEATHS, this.#free + regained);
    this.#lastDeath = nowMs;
    if (this.#free < 1) return PAUSE_MS;
    this.#free--;
    return 0;
  }
  /** Cannot start: three times in a row. */
  get failing(): boolean {
    return this.#failedStarts >= START_ATTEMPTS;
  }
}
