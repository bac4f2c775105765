import { availableParallelism } from "node:os";
import { performance } from "node:perf_hooks"; // the global one is a getter, and a test may have replaced it
import { threadId } from "node:worker_threads";
import { rootShared, SPIN_LEASES } from "../thread/identity.ts";
import { threadWide } from "../thread/shared-state.ts";

/**
 * Looking at a shared word for some microseconds before going to sleep. Waking a thread costs 15 to 60 us, an answer from a
 * thread that is awake 3; but a thread that looks in vain takes a core from others. So each thread keeps an account: an
 * answer that came in time pays in, one that did not costs as much as sixteen of those, and an overdrawn account
 * means plain sleep for a while, longer each time. And no more threads look at one time than can leave a core to
 * somebody. See docs/adr/0014.
 */
const SPIN_MS = { waiting: 0.05, lingering: 0.02 };
/** What looking in vain costs, in answers that came in time. */
const MISS_COST = 16;
const MOST_CREDIT = 128;
const FIRST_PAUSE = 16;
const LONGEST_PAUSE = 512;
/** Looks at the word between two looks at the clock. */
const LOOKS = 32;
/** A lease that its holder did not give back, because it was terminated, ends by itself after so many milliseconds. */
const LEASE_MS = 2;

/** How many words `RootShared.words` has for leases. */
const MOST_LEASES = 8;

type Account = { credit: number; pause: number; nextPause: number; readonly leases: number };

/** `waiting`: for an answer, in a thread that would block. `lingering`: for the next task, in one that has just answered. */
type Reason = keyof typeof SPIN_MS;

let own: Record<Reason, Account> | undefined;

function accountOf(reason: Reason): Account {
  own ??= threadWide("spin-accounts", () => {
    const leases = Math.min(availableParallelism() - 1, MOST_LEASES);
    const open = (): Account => ({ credit: MISS_COST, pause: 0, nextPause: FIRST_PAUSE, leases });
    return { waiting: open(), lingering: open() };
  });
  return own[reason];
}

/** Whether looking has paid of late, or is due for another try. Asked once for each {@link spinOn}. */
export function paysToSpin(reason: Reason): boolean {
  const account = accountOf(reason);
  if (account.leases < 1) return false;
  if (account.pause === 0) return true;
  account.pause -= 1;
  return false;
}

/**
 * Looks at a word until it says something else than `heard`, if not too many threads do so already.
 *
 * @param from now, on `performance.now()`'s clock. `until`: when the wait is over anyway.
 */
export function spinOn(
  reason: Reason,
  words: Int32Array,
  index: number,
  heard: number,
  from: number,
  until: number,
): boolean {
  const account = accountOf(reason);
  const shared = rootShared().words;
  const lease = SPIN_LEASES + (threadId % account.leases);
  const held = Atomics.load(shared, lease);
  const now = Math.floor(from) & 0x3fffffff;
  if (held !== 0 && now >= held - LEASE_MS && now < held) return false;
  if (Atomics.compareExchange(shared, lease, held, now + LEASE_MS) !== held) return false;
  const end = Math.min(until, from + SPIN_MS[reason]);
  let rung = false;
  do {
    for (let look = 0; look < LOOKS && !rung; look++) rung = Atomics.load(words, index) !== heard;
  } while (!rung && performance.now() < end);
  Atomics.store(shared, lease, 0);
  if (rung) {
    if (account.credit < MOST_CREDIT) account.credit += 1;
    else account.nextPause = FIRST_PAUSE;
  } else {
    account.credit -= MISS_COST;
    if (account.credit <= 0) {
      account.credit = MISS_COST; // for one more try
      account.pause = account.nextPause;
      account.nextPause = Math.min(account.nextPause * 2, LONGEST_PAUSE);
    }
  }
  return rung;
}
