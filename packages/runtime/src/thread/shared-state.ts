/**
 * State that belongs to the thread, not to one copy of this module. A process may hold several copies of the runtime
 * (a bundle beside node_modules, a test runner that inlines it); they must still agree who the current thread is and
 * which tasks it knows, so the few things that are truly per thread live under one well-known symbol.
 */
const key = Symbol.for("@duck-ts/runtime:thread-state@1");

type Slots = Map<string, unknown>;

/** The thread-wide value named `name`, made by `init` at its first use in this thread. */
export function threadWide<T>(name: string, init: () => T): T {
  const holder = globalThis as { [key]?: Slots };
  let slots = holder[key];
  if (slots === undefined) {
    slots = new Map();
    Object.defineProperty(globalThis, key, { value: slots, enumerable: false, configurable: true });
  }
  if (!slots.has(name)) slots.set(name, init());
  return slots.get(name) as T;
}
