/** The slow half of encoding, for values that do hold a special value: find them all, then copy what leads to them. */
import type { Transferable } from "node:worker_threads";
import type { Encoded, SpecialSlot } from "./special-kinds.ts";
import { classify, isReference, type Shape, someReference } from "./value-shape.ts";

/** A container with its fields as they were read, once: a getter that answers anew each time cannot confuse us. */
interface Node {
  readonly source: object;
  readonly shape: Shape;
  /** `undefined` for maps (key, value, key, value, ...) and sets. */
  readonly keys: readonly string[] | undefined;
  readonly values: readonly unknown[];
  /** Set for the containers on the way to a special value. */
  copy: object | undefined;
}

/** A slot that is being made. As an instance on the stack it marks the end of its payload's walk. */
class Draft implements SpecialSlot {
  readonly tag: string;
  payload: unknown;
  readonly at: unknown[] = [];
  constructor(tag: string, payload: unknown) {
    this.tag = tag;
    this.payload = payload;
  }
}

/** `undefined` if something stands in the way that cannot cross: a function, or of a kind that is refused. */
export function takeOutSpecials(root: object, transfer: Transferable[]): Encoded | undefined {
  const nodes = new Map<object, Node>();
  const drafts = new Map<object, Draft>();
  const holders = new Map<object, Node[]>();
  const slots: Draft[] = [];

  // Depth first with an explicit stack (a long chain of causes must not overflow ours). What was reached is marked when
  // it is popped, not when it is pushed: only so do slots come out in post-order, which decodeValue relies on.
  const stack: object[] = [root];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    if (next instanceof Draft) {
      slots.push(next);
      continue;
    }
    if (nodes.has(next) || drafts.has(next)) continue;
    const what = classify(next);
    if (typeof what === "object" && what.refuses !== undefined) {
      if (!transfer.includes(next as Transferable)) return undefined;
    } else if (typeof what === "object") {
      const draft = new Draft(what.tag, what.encode(next, transfer));
      drafts.set(next, draft);
      stack.push(draft);
      if (isReference(draft.payload)) stack.push(draft.payload);
    } else if (what !== undefined) {
      const node = readContainer(next, what);
      nodes.set(next, node);
      for (const child of node.values) {
        if (!isReference(child)) continue;
        const held = holders.get(child);
        if (held === undefined) holders.set(child, [node]);
        else held.push(node);
        stack.push(child);
      }
    } else if (typeof next === "function") {
      return undefined;
    }
  }

  const copied: Node[] = [];
  const reaching: object[] = [...drafts.keys()];
  for (let inner = reaching.pop(); inner !== undefined; inner = reaching.pop()) {
    for (const node of holders.get(inner) ?? []) {
      if (node.copy !== undefined) continue;
      // A map or set that holds special values crosses as one itself, an array of its members: so its order survives.
      node.copy = node.shape === "object" ? {} : [];
      copied.push(node);
      reaching.push(node.source);
    }
  }
  for (const node of copied) {
    if (node.shape !== "map" && node.shape !== "set") continue;
    const draft = new Draft(node.shape === "map" ? "Map" : "Set", undefined);
    drafts.set(node.source, draft);
    slots.push(draft);
    draft.payload = node.copy;
  }

  const crossing = (value: unknown, holder: object | null, key: string | number): unknown => {
    if (!isReference(value)) return value;
    const draft = drafts.get(value);
    if (draft === undefined) return nodes.get(value)?.copy ?? value;
    draft.at.push(holder, key);
    return null;
  };
  for (const node of copied) fillCopy(node, crossing);
  for (const [source, draft] of drafts) {
    if (nodes.has(source)) continue; // a map or set: its payload is the copy, filled above
    draft.payload = crossing(draft.payload, draft, "payload");
  }
  return { value: crossing(root, null, 0), specials: slots };
}

function readContainer(source: object, shape: Shape): Node {
  if (shape === "map") {
    const values: unknown[] = [];
    Map.prototype.forEach.call(source as Map<unknown, unknown>, (value, key) => values.push(key, value));
    return { source, shape, keys: undefined, values, copy: undefined };
  }
  if (shape === "set") {
    const values: unknown[] = [];
    Set.prototype.forEach.call(source as Set<unknown>, (member) => values.push(member));
    return { source, shape, keys: undefined, values, copy: undefined };
  }
  // A million numbers need no snapshot.
  if (shape === "array" && !someReference(source as unknown[], () => true)) {
    return { source, shape, keys: undefined, values: [], copy: undefined };
  }
  const keys = Object.keys(source);
  return { source, shape, keys, values: keys.map((key) => (source as Record<string, unknown>)[key]), copy: undefined };
}

function fillCopy(node: Node, crossing: (value: unknown, holder: object, key: string | number) => unknown): void {
  const copy = node.copy as Record<string | number, unknown>;
  for (let i = 0; i < node.values.length; i++) {
    const key = node.keys?.[i] ?? i;
    const value = crossing(node.values[i], copy, key);
    if (key === "__proto__")
      Object.defineProperty(copy, key, { value, writable: true, enumerable: true, configurable: true });
    else copy[key] = value;
  }
  // Holes at the end are part of an array's length too.
  if (node.shape === "array") (node.copy as unknown[]).length = (node.source as unknown[]).length;
}
