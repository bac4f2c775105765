import { logger } from "../logger.ts";
import type { Deadlock } from "./waits.ts";

/** What it takes to be sure of a deadlock. */
export type DoubtsApi = {
  /** The deadlock that stands now, as far as was reported. */
  find(): Deadlock | undefined;
  /** Asks a blocked thread whether it stands in that wait with all taken that has come; `answered` follows. */
  askStands(thread: number, number: number): void;
  /** Asks a thread whether anything but messages could let its tasks go on; `answered` follows. */
  askQuiet(thread: number, number: number): void;
  /** It is certain. */
  tell(deadlock: Deadlock): void;
};

type Doubt = {
  readonly signature: string;
  readonly deadlock: Deadlock;
  readonly unanswered: Set<number>;
  readonly round: number;
};

/** Between the two times that every thread of a supposed deadlock is asked: what was under way has arrived by then. */
const SECOND_LOOK_MS = 50;
/** A thread that has something to do may come to an end of it. */
const LOOK_AGAIN_MS = 250;
/** A supposed deadlock that stands so long is worth a warning, even if it cannot be proved. */
const WARN_AFTER_MS = 5_000;

/**
 * What was reported may be over. A blocked thread's answer may have arrived and not been taken yet, so each is asked
 * whether it still stands; a busy machine lets milliseconds pass in between. And a task that awaits one that is stuck may
 * have other reasons to go on, a timer or a socket, that only its own thread knows: so the threads of such tasks are asked,
 * too, and all of them twice. Only if all agree is the deadlock certain.
 */
export class Doubts {
  readonly #api: DoubtsApi;
  #doubt: Doubt | undefined;
  #timer: NodeJS.Timeout | undefined;
  #asked = 0;
  #stands: { readonly signature: string; readonly since: number; warned: boolean } | undefined;

  constructor(api: DoubtsApi) {
    this.#api = api;
  }

  /** Somebody has begun or ceased to wait. */
  look(): void {
    const deadlock = this.#api.find();
    if (deadlock === undefined) {
      this.#doubt = undefined;
      this.#stands = undefined;
      return;
    }
    const signature = deadlock.cycle.join();
    if (this.#stands?.signature !== signature) this.#stands = { signature, since: performance.now(), warned: false };
    if (this.#doubt?.signature !== signature && this.#timer === undefined) this.#ask(signature, deadlock, 1);
  }

  answered(number: number, yes: boolean): void {
    const doubt = this.#doubt;
    if (doubt === undefined || !doubt.unanswered.delete(number)) return;
    if (!yes) {
      this.#doubt = undefined;
      if (doubt.deadlock.believed.length > 0) this.#warn(doubt.deadlock);
      this.#later(LOOK_AGAIN_MS, () => this.look());
      return;
    }
    if (doubt.unanswered.size > 0) return;
    if (doubt.round === 1 && doubt.deadlock.believed.length > 0) {
      this.#later(SECOND_LOOK_MS, () => this.#again(doubt, (deadlock) => this.#ask(doubt.signature, deadlock, 2)));
      return;
    }
    this.#again(doubt, (deadlock) => {
      this.#doubt = undefined;
      this.#api.tell(deadlock);
    });
  }

  /** Goes on with what is still the same. */
  #again(doubt: Doubt, goOn: (deadlock: Deadlock) => void): void {
    if (this.#doubt !== doubt) {
      this.look();
      return;
    }
    const deadlock = this.#api.find();
    if (deadlock?.cycle.join() === doubt.signature) {
      goOn(deadlock);
      return;
    }
    this.#doubt = undefined;
    this.look();
  }

  #ask(signature: string, deadlock: Deadlock, round: number): void {
    const { standing, believed } = deadlock;
    const first = this.#asked + 1;
    this.#asked += standing.length + believed.length;
    const numbers = Array.from({ length: standing.length + believed.length }, (_, index) => first + index);
    this.#doubt = { signature, deadlock, unanswered: new Set(numbers), round };
    standing.forEach((thread, index) => {
      this.#api.askStands(thread, first + index);
    });
    believed.forEach((thread, index) => {
      this.#api.askQuiet(thread, first + standing.length + index);
    });
  }

  #warn({ cycle }: Deadlock): void {
    const stands = this.#stands;
    if (stands === undefined || stands.warned || performance.now() - stands.since < WARN_AFTER_MS) return;
    stands.warned = true;
    logger().warn(
      { cycle },
      "threads and tasks seem to wait for each other; no DeadlockError is thrown, since a timer, socket or file that one of the threads has open may still end it",
    );
  }

  #later(ms: number, then: () => void): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      then();
    }, ms);
    this.#timer.unref();
  }
}
