import { availableParallelism } from "node:os";
import { threadId } from "node:worker_threads";
import { rootShared, SPIN_LEASES } from "../thread/identity.ts";
import { threadWide } from "../thread/shared-state.ts";
import type { Doorbell } from "./doorbell.ts";

/**
 * Looking at the bell for some microseconds before going to sleep. Waking a thread costs 15 to 60 us, an answer from a
 * thread that is awake 3; but a thread that looks in vain takes a core from others. So each thread keeps an account: an
 * answer that came in time pays in, one that did not costs as much as dozens of those, and an overdrawn account means
 * plain sleep for a while, longer each time. And no more threads look at one time than can leave a core to somebody.
 */
const SPIN_MS = 0.05;
/** What looking in vain costs, in answers that came in time. */
const MISS_COST = 32;
const MOST_CREDIT = 128;
const FIRST_PAUSE = 16;
const LONGEST_PAUSE = 256;
/** Looks at the bell between two looks at the clock. */
const LOOKS = 32;
/** A lease that its holder did not give back, because it was terminated, ends by itself after so many milliseconds. */
const LEASE_MS = 2;

type Account = { credit: number; pause: number; nextPause: number; readonly leases: number };

const account = (): Account =>
  threadWide("spin-account", () => ({
    credit: MISS_COST,
    pause: 0,
    nextPause: FIRST_PAUSE,
    leases: Math.min(availableParallelism() - 1, MOST_LEASES),
  }));

/** How many words `RootShared.words` has for leases. */
const MOST_LEASES = 8;

/** Looks at `bell` until it says something else than `heard`, if that is worth while. `until`: when the wait is over anyway. */
export function spinOn(bell: Doorbell, heard: number, from: number, until: number): boolean {
  const own = account();
  if (own.leases < 1) return false;
  if (own.pause > 0) {
    own.pause -= 1;
    return false;
  }
  const { words } = rootShared();
  const lease = SPIN_LEASES + (threadId % own.leases);
  const held = Atomics.load(words, lease);
  const now = Math.floor(from) & 0x3fffffff;
  if (held !== 0 && now >= held - LEASE_MS && now < held) return false;
  if (Atomics.compareExchange(words, lease, held, now + LEASE_MS) !== held) return false;
  const end = Math.min(until, from + SPIN_MS);
  let rung = false;
  do {
    for (let look = 0; look < LOOKS && !rung; look++) rung = Atomics.load(bell, 0) !== heard;
  } while (!rung && performance.now() < end);
  Atomics.store(words, lease, 0);
  if (rung) {
    if (own.credit < MOST_CREDIT) own.credit += 1;
    else own.nextPause = FIRST_PAUSE;
  } else {
    own.credit -= MISS_COST;
    if (own.credit <= 0) {
      own.credit = MISS_COST; // for one more try
      own.pause = own.nextPause;
      own.nextPause = Math.min(own.nextPause * 2, LONGEST_PAUSE);
    }
  }
  return rung;
}
