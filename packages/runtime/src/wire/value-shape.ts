/** What a value is to the wire: a container to walk, a special kind to encode, or something structured clone knows. */
import { types } from "node:util";
import { isOpaque, isPlainPrototype, kindOf, type SpecialKind } from "./special-kinds.ts";

/** The containers that are walked. `object` is every object with fields, class instances (cloned as plain) included. */
export type Shape = "array" | "map" | "set" | "object";

/** `undefined`: nothing to walk and nothing to encode (a Date, a typed array, a function that no kind claims). */
export function classify(value: object): Shape | SpecialKind | undefined {
  if (Array.isArray(value)) return "array";
  if (typeof value === "function") return kindOf(value);
  if (isPlainPrototype(Object.getPrototypeOf(value) as object | null)) return "object";
  const kind = kindOf(value);
  if (kind !== undefined) return kind;
  if (types.isMap(value)) return "map";
  if (types.isSet(value)) return "set";
  return isOpaque(value) ? undefined : "object";
}

/** Whether `value` can be a container or a special value at all. */
export function isReference(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

// Beyond this run of holes an array is taken to be sparse: a[4e9] = 1 must not cost four billion steps.
const longestRunOfHoles = 1024;

/** Hands every object and function among an array's elements to `found`, until it answers true. */
export function someReference(array: readonly unknown[], found: (element: object) => boolean): boolean {
  let holes = 0;
  for (let i = 0; i < array.length; i++) {
    const element = array[i];
    if (isReference(element)) {
      if (found(element)) return true;
    } else if (element === undefined && ++holes > longestRunOfHoles) {
      return Object.keys(array).some((key) => {
        const rest = Number(key) > i ? array[Number(key)] : undefined;
        return isReference(rest) && found(rest);
      });
    }
  }
  return false;
}

// A value of up to this many containers is scanned without remembering which were seen. Making the Set would cost more
// than the rest of the scan; what a cycle wastes is bounded by this number.
const scannedWithoutMemory = 256;

/**
 * Whether a special value is anywhere inside `root`: the whole cost of encoding for the values that hold none.
 *
 * Accessors are called, as structured clone is about to do anyway: skipping them would take a property descriptor a
 * field, several times the cost of this walk, and would let a special value behind one be mangled silently.
 */
export function holdsSpecial(root: object): boolean {
  const stack: object[] = [root];
  let steps = 0;
  let seen: Set<object> | undefined;
  // The class met last that no kind claims: a thousand rows of one class are classified once.
  let ordinary: unknown = Object.prototype;
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    if (++steps > scannedWithoutMemory) {
      seen ??= new Set();
      if (seen.has(next)) continue;
      seen.add(next);
    }
    const prototype: unknown = Object.getPrototypeOf(next);
    // The commonest shapes stand here in full, ahead of classify(): this loop is on the path of every task.
    if (prototype === Object.prototype || prototype === ordinary) {
      for (const key in next) {
        const child = (next as Record<string, unknown>)[key];
        if (isReference(child) && Object.hasOwn(next, key)) stack.push(child);
      }
      continue;
    }
    const what = classify(next);
    if (typeof what === "object") return true;
    switch (what) {
      case "array":
        someReference(next as unknown[], (child) => {
          stack.push(child);
          return false;
        });
        break;
      case "map":
        Map.prototype.forEach.call(next as Map<unknown, unknown>, (value, key) => {
          if (isReference(key)) stack.push(key);
          if (isReference(value)) stack.push(value);
        });
        break;
      case "set":
        Set.prototype.forEach.call(next as Set<unknown>, (member) => {
          if (isReference(member)) stack.push(member);
        });
        break;
      case "object":
        for (const key of Object.keys(next)) {
          const child = (next as Record<string, unknown>)[key];
          if (isReference(child)) stack.push(child);
        }
        ordinary = prototype;
        break;
      default:
        // Structured clone is going to refuse this function, so there is no use in walking what it may hang in: that
        // can be the whole program.
        if (typeof next === "function") return false;
    }
  }
  return false;
}
