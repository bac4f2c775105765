/** Context variables: values that follow the flow of a program, through awaits and into tasks on other threads. */
import { AsyncLocalStorage } from "node:async_hooks";
import { threadWide } from "../thread/shared-state.ts";

/** The values of a context, by the names of their variables. Never changed, only replaced. */
export type ReadonlyContext = Readonly<Record<string, unknown>>;

/** A variable whose value belongs to the current flow: what it calls and awaits sees it, flows beside it do not. */
export interface ContextVar<T, Absent = undefined> {
  readonly name: string;
  /** The value set nearest in this flow, else the default, else `undefined` (where Python raises LookupError). */
  get(): T | Absent;
  /** Sets it for the rest of this flow, and for what this flow starts from here on. */
  set(value: T): void;
  /** Calls `fn` with the value set; outside of it, nothing changes. Returns what `fn` returns. */
  run<R>(value: T, fn: () => R): R;
}

interface State {
  readonly storage: AsyncLocalStorage<ReadonlyContext | undefined>;
  readonly defaults: Map<string, unknown>;
  /** Until a first value is set, the storage is not touched: on Node before 24 its use slows every promise of the thread. */
  used: boolean;
}

const state: State = threadWide("context-vars", () => ({
  storage: new AsyncLocalStorage(),
  defaults: new Map(),
  used: false,
}));

/**
 * Declares a context variable. Its values travel with every task, captured at the call and copied: a change made by the
 * task does not come back. So they must be cloneable; where one is not, submitting fails with a `DataNotCloneableError`
 * whose path is `context.<name>`.
 *
 * The name is the identity: declaring it again in a thread (a task's module does, by being imported there) gives the
 * same variable, and the latest default holds. A value that arrives in a thread is found by a variable declared later.
 * May be called in any thread; never blocks.
 *
 * @throws TypeError if the name is not a string or is empty.
 * @example
 * const requestId = contextVar("requestId", { defaultValue: "none" });
 * requestId.run("r-42", () => console.log(requestId.get())); // r-42
 */
export function contextVar<T>(name: string, options: { readonly defaultValue: T }): ContextVar<T, never>;
export function contextVar<T>(name: string, options?: { readonly defaultValue?: T }): ContextVar<T>;
export function contextVar<T>(name: string, options?: { readonly defaultValue?: T }): ContextVar<T> {
  if (typeof name !== "string" || name === "")
    throw new TypeError(`contextVar expected a name (a string that is not empty), got ${JSON.stringify(name)}.`);
  if (options !== undefined && "defaultValue" in options) state.defaults.set(name, options.defaultValue);
  return {
    name,
    get() {
      const context = state.used ? state.storage.getStore() : undefined;
      return (context !== undefined && Object.hasOwn(context, name) ? context[name] : state.defaults.get(name)) as
        | T
        | undefined;
    },
    set(value) {
      state.storage.enterWith(contextWith(name, value));
    },
    run: (value, fn) => state.storage.run(contextWith(name, value), fn),
  };
}

/** What the current flow has set, ready to be encoded; `undefined` if that is nothing, so that tasks without cost nothing. */
export function captureContext(): ReadonlyContext | undefined {
  if (!state.used) return undefined;
  const context = state.storage.getStore();
  for (const _ in context) return context;
  return undefined;
}

/**
 * Calls `fn` in exactly the context given (`undefined`: an empty one) and returns what it returns. What `fn` sets stays
 * inside, also where it was called straight from a message handler, whose own context all later messages share.
 */
export function runWithContext<T>(context: ReadonlyContext | undefined, fn: () => T): T {
  if (context === undefined && !state.used) {
    try {
      return fn();
    } finally {
      // It set the thread's first variable, and did so in the caller's context.
      if (state.used) state.storage.enterWith(undefined);
    }
  }
  state.used = true;
  // A copy, since run() takes the store that is current already for no change at all and leaves nothing to undo.
  return state.storage.run(Object.assign(emptyContext(), context), fn);
}

function contextWith(name: string, value: unknown): ReadonlyContext {
  const context = Object.assign(emptyContext(), state.used ? state.storage.getStore() : undefined);
  state.used = true;
  context[name] = value;
  return context;
}

/** Without a prototype, `__proto__` and `toString` are names like any other. */
function emptyContext(): Record<string, unknown> {
  return Object.create(null) as Record<string, unknown>;
}
