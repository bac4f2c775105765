type Account = { readonly words: Int32Array; came: number };

/**
 * Who has put how many tasks into the queue of which pool. A task is counted when it is submitted and sent when the turn
 * is over: what a thread has counted and not sent when it ends must be taken from the count.
 */
export class Accounts {
  /** By thread, then by manager. */
  readonly #byThread = new Map<number, Map<string, Account>>();

  open(thread: number, key: string, words: Int32Array): void {
    const accounts = this.#byThread.get(thread) ?? new Map<string, Account>();
    this.#byThread.set(thread, accounts);
    accounts.set(key, { words, came: 0 });
  }

  came(thread: number, key: string, tasks: number): void {
    const account = this.#byThread.get(thread)?.get(key);
    if (account !== undefined) account.came += tasks;
  }

  forget(key: string): void {
    for (const accounts of this.#byThread.values()) accounts.delete(key);
  }

  /** The thread has ended and all that it sent has come: how many tasks it took with it, by manager. */
  close(thread: number): [key: string, lost: number][] {
    const accounts = this.#byThread.get(thread);
    this.#byThread.delete(thread);
    return [...(accounts ?? [])].map(([key, { words, came }]) => [key, Atomics.load(words, 0) - came]);
  }
}
