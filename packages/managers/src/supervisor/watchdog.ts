/** Deadlines of tasks, kept where nobody blocks. */
export class Watchdog {
  readonly #timers = new Map<string, NodeJS.Timeout>();

  /** Calls `bark` after `ms`, unless called off. A second watch of the same name replaces the first. */
  watch(name: string, ms: number, bark: () => void): void {
    this.callOff(name);
    // setTimeout counts to 2^31 - 1 ms; a longer deadline is none that a process lives to see.
    const timer = setTimeout(
      () => {
        this.#timers.delete(name);
        bark();
      },
      Math.min(ms, 2 ** 31 - 1),
    );
    timer.unref();
    this.#timers.set(name, timer);
  }

  callOff(name: string): void {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }

  clear(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}
