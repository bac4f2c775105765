/** When a lost worker is replaced: at once, unless workers die young or cannot start. Pure. */

/** A worker that lived so long was a healthy one. */
const HEALTHY_MS = 5000;
/** So many failed starts in a row, and the server says that it is not ready. */
export const START_ATTEMPTS = 3;
const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 30_000;
/** So many young deaths are replaced at once. */
const FREE_DEATHS = 10;

export class SpawnPolicy {
  #failedStarts = 0;
  #youngDeaths = 0;

  /** A worker became ready. */
  started(): void {
    this.#failedStarts = 0;
  }
  /** A worker died before it was ready; says how long to wait before the next try. */
  failedToStart(): number {
    this.#failedStarts++;
    return Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (this.#failedStarts - 1));
  }
  /** A ready worker died by itself after `lifeMs`; says how long to wait before the next one. */
  died(lifeMs: number): number {
    if (lifeMs >= HEALTHY_MS) {
      this.#youngDeaths = 0;
      return 0;
    }
    this.#youngDeaths++;
    if (this.#youngDeaths <= FREE_DEATHS) return 0;
    return Math.min(1000, 10 * 2 ** Math.min(10, this.#youngDeaths - FREE_DEATHS));
  }
  /** Cannot start: three times in a row. */
  get failing(): boolean {
    return this.#failedStarts >= START_ATTEMPTS;
  }
}
