import { clearTimeout, setTimeout } from "node:timers"; // not those that a test may have replaced by a clock of its own
import { DataNotCloneableError, TaskCancelledError } from "../errors.ts";
import { line, lineHandlers } from "../supervisor/line.ts";
import { currentThread } from "../thread/identity.ts";
import { threadWide } from "../thread/shared-state.ts";
import { explainNotCloneable } from "../wire/clone-path.ts";
import { decodeThrown, encodeError } from "../wire/error-codec.ts";
import type { TaskTarget, WireOutcome } from "../wire/messages.ts";
import { decodeValue, encodeValue, registerSpecialKind, type SpecialSlot } from "../wire/value-codec.ts";
import { LeftAlone } from "./left-alone.ts";
import { futureInternals, type Outcome, SyncFuture } from "./sync-future.ts";

/** What a future needs of its life in several threads. */
export interface SharedHandle {
  readonly id: string;
  /** Whether this thread's write is the first of all threads'; if so the others are told. */
  claim(outcome: Outcome<unknown>): boolean;
  keepAliveUntilSettled(): void;
  /** Of a future that was made here: what its life elsewhere has come to. */
  readonly elsewhere: LeftAlone;
  /** A task that is being submitted has it as an argument. */
  carriedBy(task: TaskTarget): void;
  /** Such a task is settled; `lost`: it has ended with its thread. */
  delivered(callId: number, lost: Error | undefined): void;
  /** Somebody in this thread wants to know how it comes out. */
  looked(): void;
  /** Calls `report` when nobody has looked, in any thread, after some time that others have to come to it. */
  unlessLookedAt(report: () => void): void;
}

/** What crosses: an id, and words of shared memory in which the first writer and those who look leave their marks. */
type Passport = { readonly id: string; readonly marks: Int32Array };

const CLAIMED = 0;
const LOOKED_AT = 1;

/** Whoever has a failed future as an argument comes to it a little later than the news. */
const OTHERS_HAVE_MS = 1_000;

type Shared = {
  next: number;
  readonly held: Map<string, WeakRef<SyncFuture<unknown>>>;
  readonly fromWire: Set<string>;
  readonly kept: Map<string, SyncFuture<unknown>>;
  /** Failures that others may still look at. */
  readonly unseen: Set<() => void>;
  readonly collected: FinalizationRegistry<string>;
};

const shared = (): Shared =>
  threadWide("shared-futures", () => {
    const own: Shared = {
      next: 0,
      held: new Map(),
      fromWire: new Set(),
      kept: new Map(),
      unseen: new Set(),
      collected: new FinalizationRegistry((id) => {
        if (own.held.get(id)?.deref() !== undefined) return;
        own.held.delete(id);
        line().post({ t: "future.release", id });
      }),
    };
    lineHandlers().ended.add((thrown) => {
      for (const held of [...own.held.values()]) {
        const future = held.deref();
        if (future !== undefined) futureInternals.settle(future, { ok: false, thrown, cancelled: false });
      }
    });
    process.on("beforeExit", () => {
      for (const report of own.unseen) report();
    });
    lineHandlers().future = (id, outcome) => settleFromWire(own, id, outcome);
    lineHandlers().futureAlone = (id) => handleOf(own, id)?.elsewhere.alone();
    return own;
  });

function handleOf(own: Shared, id: string): SharedHandle | undefined {
  const future = own.held.get(id)?.deref();
  return future === undefined ? undefined : futureInternals.handle(future);
}

/** The futures that cross among these are carried by that task from now on. */
export function carriedIn(
  specials: readonly SpecialSlot[],
  task: SyncFuture<unknown>,
): readonly SharedHandle[] | undefined {
  const carried = specials.filter(({ tag }) => tag === TAG);
  if (carried.length === 0) return undefined;
  const target = futureInternals.waitTarget(task) as TaskTarget;
  const own = shared();
  const handles = carried.map(({ payload }) => handleOf(own, (payload as Passport).id) as SharedHandle);
  for (const handle of handles) handle.carriedBy(target);
  return handles;
}

const TAG = "future";

function settleFromWire(own: Shared, id: string, outcome: WireOutcome): void {
  const future = own.held.get(id)?.deref();
  if (future === undefined) return;
  own.fromWire.add(id);
  try {
    futureInternals.settle(future, revive(outcome));
  } finally {
    own.fromWire.delete(id);
  }
}

function revive(outcome: WireOutcome): Outcome<unknown> {
  if (outcome.ok) return { ok: true, value: decodeValue(outcome.value, outcome.specials) };
  const thrown = decodeThrown(outcome.error);
  return { ok: false, thrown, cancelled: thrown instanceof TaskCancelledError };
}

function send(id: string, outcome: Outcome<unknown>): void {
  if (!outcome.ok) {
    line().post({ t: "future.settle", id, outcome: { ok: false, error: encodeError(outcome.thrown) } });
    return;
  }
  try {
    const { value, specials } = encodeValue(outcome.value, [], "result");
    line().post({ t: "future.settle", id, outcome: { ok: true, value, specials } });
  } catch (cause) {
    const error =
      cause instanceof DataNotCloneableError ? cause : explainNotCloneable(outcome.value, "result", { cause });
    line().post({ t: "future.settle", id, outcome: { ok: false, error: encodeError(error) } });
  }
}

function handle(future: SyncFuture<unknown>, { id, marks }: Passport): SharedHandle {
  const own = shared();
  own.held.set(id, new WeakRef(future));
  own.collected.register(future, id);
  const target = futureInternals.waitTarget(future);
  line().post({ t: "future.hold", id, task: target?.on === "task" ? target : undefined });
  let keeping = false;
  let awaited = false;
  const hold = (): void => {
    if (keeping) return;
    keeping = true;
    line().hold();
  };
  const letGo = (): void => {
    if (!keeping) return;
    keeping = false;
    line().letGo();
  };
  const elsewhere = new LeftAlone({
    isAwaited: () => awaited,
    fail: (thrown) => void futureInternals.settle(future, { ok: false, thrown, cancelled: false }),
    letGo,
    hold,
  });
  return {
    id,
    elsewhere,
    claim(outcome) {
      letGo();
      own.kept.delete(id);
      elsewhere.settled();
      if (own.fromWire.has(id)) return true; // another thread won, and this is its word
      if (Atomics.compareExchange(marks, CLAIMED, 0, 1) !== 0) return false;
      send(id, outcome);
      return true;
    },
    keepAliveUntilSettled() {
      if (awaited) return;
      awaited = true;
      own.kept.set(id, future);
      hold();
      elsewhere.look();
    },
    carriedBy(task) {
      elsewhere.carried();
      line().post({ t: "future.carried", id, task });
    },
    delivered(callId, lost) {
      line().post({ t: "future.delivered", id, callId });
      elsewhere.delivered(lost);
    },
    looked() {
      Atomics.store(marks, LOOKED_AT, 1);
    },
    unlessLookedAt(report) {
      const due = (): void => {
        clearTimeout(timer);
        own.unseen.delete(due);
        if (Atomics.load(marks, LOOKED_AT) === 0) report();
      };
      const timer = setTimeout(due, OTHERS_HAVE_MS).unref();
      own.unseen.add(due);
    },
  };
}

const passports = new WeakMap<SyncFuture<unknown>, Passport>();

function passportOf(future: SyncFuture<unknown>): Passport {
  const known = passports.get(future);
  if (known !== undefined) {
    futureInternals.handle(future)?.elsewhere.passedOn();
    return known;
  }
  const own = shared();
  own.next += 1;
  const passport: Passport = {
    id: `${currentThread().id}.${own.next}`,
    marks: new Int32Array(new SharedArrayBuffer(8)),
  };
  passports.set(future, passport);
  futureInternals.share(future, () => handle(future, passport));
  const outcome = futureInternals.outcome(future);
  if (outcome !== undefined && Atomics.compareExchange(passport.marks, CLAIMED, 0, 1) === 0) send(passport.id, outcome);
  return passport;
}

function fromPassport(passport: Passport): SyncFuture<unknown> {
  const here = shared().held.get(passport.id)?.deref();
  if (here !== undefined) return here; // it came home, or came twice
  const future = new SyncFuture<unknown>();
  passports.set(future, passport);
  futureInternals.share(future, () => handle(future, passport));
  futureInternals.markObserved(future);
  return future;
}

/** Lets futures travel inside arguments and results. */
export function registerFutureKind(): void {
  registerSpecialKind({
    tag: TAG,
    is: (value) => value instanceof SyncFuture,
    encode: (value) => passportOf(value as SyncFuture<unknown>),
    decode: (payload) => fromPassport(payload as Passport),
  });
}
