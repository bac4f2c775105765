/**
 * Structured clone carries plain data and mangles or refuses the rest. This codec takes the special values (see
 * special-kinds.ts) out of a value before it is posted and puts them back after it arrived. A value without any is
 * posted as it is.
 *
 * What structured clone does to everything else is left alone: a class instance arrives as a plain object.
 */
import type { Transferable } from "node:worker_threads";
import { explainNotCloneable } from "./clone-path.ts";
import { errorKind } from "./error-kind.ts";
import { emptiedKinds } from "./refused-kinds.ts";
import { type Encoded, kindByTag, registerSpecialKind, type SpecialSlot } from "./special-kinds.ts";
import { takeOutSpecials } from "./take-out-specials.ts";
import { holdsSpecial, isReference } from "./value-shape.ts";

export { type Encoded, registerSpecialKind, type SpecialKind, type SpecialSlot } from "./special-kinds.ts";

registerSpecialKind(emptiedKinds);
registerSpecialKind(errorKind);
registerSpecialKind({
  tag: "Map",
  is: () => false,
  encode: (map) => map,
  decode: () => new Map(),
  fill(made, payload) {
    const flat = payload as unknown[];
    for (let i = 0; i < flat.length; i += 2) (made as Map<unknown, unknown>).set(flat[i], flat[i + 1]);
  },
});
registerSpecialKind({
  tag: "Set",
  is: () => false,
  encode: (set) => set,
  decode: () => new Set(),
  fill(made, payload) {
    for (const member of payload as unknown[]) (made as Set<unknown>).add(member);
  },
});

/**
 * Makes `value` ready to be posted. The value itself is never changed: the containers on the way to a special value are
 * copied, everything else is shared; identity and cycles are kept.
 *
 * @param transfer gets what must be transferred. Where this throws, or the post does, it is the caller's to close.
 * @param root what the value is called in the path of an error.
 * @throws DataNotCloneableError where walking shows what posting would (a getter that throws, a function).
 */
export function encodeValue(value: unknown, transfer: Transferable[], root = "value"): Encoded {
  if (!isReference(value)) return { value, specials: undefined };
  try {
    if (!holdsSpecial(value)) return { value, specials: undefined };
    const encoded = takeOutSpecials(value, transfer);
    if (encoded !== undefined) return encoded;
  } catch (cause) {
    throw explainNotCloneable(value, root, { transfer, cause });
  }
  throw explainNotCloneable(value, root, { transfer });
}

/**
 * Puts the special values back. `value` and `specials` must have arrived in one message; `value` is changed in place.
 *
 * @throws TypeError if this thread has not registered one of the kinds.
 */
export function decodeValue(value: unknown, specials: readonly SpecialSlot[] | undefined): unknown {
  if (specials === undefined) return value;
  let root = value;
  const place = (slot: SpecialSlot, made: unknown): void => {
    for (let i = 0; i < slot.at.length; i += 2) {
      const holder = slot.at[i];
      if (holder === null) root = made;
      else setOwn(holder as object, slot.at[i + 1] as PropertyKey, made);
    }
  };
  // Hollow values first: they are what a cycle can lead through. Then those made in one go, whose payloads (in
  // post-order) are complete by now but for the hollow ones. Then the hollow ones are filled.
  const hollow: (() => void)[] = [];
  const whole: (() => void)[] = [];
  for (const slot of specials) {
    const kind = kindByTag(slot.tag);
    if (kind === undefined)
      throw new TypeError(`A "${slot.tag}" arrived, and nothing in this thread has registered that kind.`);
    if (kind.fill === undefined) {
      whole.push(() => place(slot, kind.decode(slot.payload)));
    } else {
      const made = kind.decode(slot.payload);
      place(slot, made);
      hollow.push(() => kind.fill?.(made, slot.payload));
    }
  }
  for (const make of whole) make();
  for (const fill of hollow) fill();
  return root;
}

/** Whether every argument is a primitive that can be posted as it is, so that no codec is needed at all. */
export function isPlainScalars(args: readonly unknown[]): boolean {
  for (let i = 0; i < args.length; i++) {
    const arg = args[i];
    if (arg === null) continue;
    const type = typeof arg;
    if (type === "object" || type === "function" || type === "symbol") return false;
  }
  return true;
}

/** Assignment that takes `__proto__`, which JSON.parse makes an ordinary field, for an ordinary field. */
function setOwn(holder: object, key: PropertyKey, value: unknown): void {
  if (key === "__proto__")
    Object.defineProperty(holder, key, { value, writable: true, enumerable: true, configurable: true });
  else (holder as Record<PropertyKey, unknown>)[key] = value;
}
