/** Says which part of a value cannot be cloned, after structured clone only said that some part cannot. */
import { types } from "node:util";
import { DataNotCloneableError } from "../errors.ts";
import { nameUncloneable } from "./name-uncloneable.ts";
import { classify, isReference } from "./value-shape.ts";

/** What is known of the way the value was to be posted. */
export interface CloneContext {
  /** What was on the transfer list: it may be anywhere in the value. */
  readonly transfer?: readonly unknown[];
  /** What the failed post threw. It becomes the `cause`. */
  readonly cause?: unknown;
}

/** What a search found. `exhausted`: it gave up, since the value is too large to look through. */
export interface Search {
  readonly culprit: { readonly path: string; readonly found: string; readonly advice?: string } | undefined;
  readonly exhausted: boolean;
  readonly depth: number;
}

interface Step {
  readonly value: unknown;
  readonly parent: Step | undefined;
  /** How the path goes on from the parent: `.name`, `[2]`, `.get("x")`. */
  readonly segment: string;
  readonly depth: number;
  /** Known already from the way it was reached. */
  readonly found?: string;
}

// Enough for any value a person would pass, and about a tenth of a second.
const maxSteps = 200_000;
const maxSegments = 24;
// Structured clone recurses; V8 refuses at some 10,000 levels, depending on the stack that is left.
const suspiciousDepth = 2_000;

/**
 * The error that names the first part of `value` that cannot cross. To be called only once a post has failed (that is a
 * `DataCloneError`, a `TypeError` for a MessagePort left off the transfer list, a `RangeError` for what is nested too
 * deeply). Never throws, and looks at no more than 200,000 parts.
 */
export function explainNotCloneable(value: unknown, root: string, context: CloneContext = {}): DataNotCloneableError {
  const options = context.cause === undefined ? undefined : { cause: context.cause };
  try {
    const { culprit, depth } = findNotCloneable(value, root, context.transfer ?? [], () => true);
    if (culprit !== undefined) {
      const { path, found, advice } = culprit;
      return new DataNotCloneableError(path, found, advice === undefined ? options : { ...options, advice });
    }
    if (context.cause instanceof DataNotCloneableError) return context.cause;
    if (depth > suspiciousDepth)
      return new DataNotCloneableError(root, `a value nested ${depth + 1} levels deep`, options);
    const said = context.cause instanceof Error ? ` (${context.cause.message})` : "";
    return new DataNotCloneableError(root, `a value of which some part is not cloneable${said}`, options);
  } catch {
    return new DataNotCloneableError(root, "a value of which some part is not cloneable", options);
  }
}

/** Looks, depth first as structured clone does, for what cannot be cloned. `claimed`: whether a special kind may carry it. */
export function findNotCloneable(
  value: unknown,
  root: string,
  transfer: readonly unknown[],
  claimed: (tag: string) => boolean,
): Search {
  const transferred = new Set(transfer);
  const seen = new Set<unknown>();
  const provenPrototypes = new Set<unknown>();
  const stack: Step[] = [{ value, parent: undefined, segment: root, depth: 0 }];
  let depth = 0;
  for (let step = stack.pop(); step !== undefined; step = stack.pop()) {
    if (seen.size >= maxSteps) return { culprit: undefined, exhausted: true, depth };
    depth = Math.max(depth, step.depth);
    const found = step.found ?? (typeof step.value === "symbol" ? "a symbol" : undefined);
    if (found !== undefined) return { culprit: { path: pathOf(step), found }, exhausted: false, depth };
    if (!isReference(step.value) || transferred.has(step.value) || seen.has(step.value)) continue;
    seen.add(step.value);
    const what = classifySafely(step.value);
    if (typeof what === "object") {
      if (what.refuses !== undefined)
        return { culprit: { path: pathOf(step), ...what.refuses(step.value) }, exhausted: false, depth };
      if (claimed(what.tag)) continue;
    }
    const name = nameUncloneable(step.value, provenPrototypes);
    if (name !== undefined) return { culprit: { path: pathOf(step), found: name }, exhausted: false, depth };
    const children: Step[] = [];
    if (what !== undefined) readChildren(step, step.value, children);
    for (let i = children.length - 1; i >= 0; i--) stack.push(children[i] as Step);
  }
  return { culprit: undefined, exhausted: false, depth };
}

function classifySafely(value: object): ReturnType<typeof classify> {
  try {
    return classify(value);
  } catch {
    return undefined; // a Proxy whose traps throw: nameUncloneable knows it
  }
}

function readChildren(parent: Step, value: object, children: Step[]): void {
  const add = (child: unknown, segment: string, found?: string): void => {
    if (found === undefined && !isReference(child) && typeof child !== "symbol") return;
    const step = { value: child, parent, segment, depth: parent.depth + 1 };
    children.push(found === undefined ? step : { ...step, found });
  };
  if (types.isMap(value)) {
    let index = 0;
    for (const [key, child] of Map.prototype.entries.call(value)) {
      add(key, `.keys()[${index++}]`);
      add(child, isReference(key) || typeof key === "symbol" ? `.values()[${index - 1}]` : `.get(${quote(key)})`);
    }
    return;
  }
  if (types.isSet(value)) {
    let index = 0;
    for (const member of Set.prototype.values.call(value)) add(member, `.values()[${index++}]`);
    return;
  }
  const array = Array.isArray(value);
  if (array && value.length > maxSteps) {
    // Naming every index of so long an array would take longer than cloning it.
    for (let i = 0; i < Math.min(value.length, 10 * maxSteps) && children.length < maxSteps; i++)
      add(value[i], `[${i}]`);
    return;
  }
  for (const key of Object.keys(value)) {
    const segment =
      array && /^\d+$/.test(key)
        ? `[${key}]`
        : /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key)
          ? `.${key}`
          : `[${quote(key)}]`;
    try {
      add((value as Record<string, unknown>)[key], segment);
    } catch (error) {
      add(undefined, segment, `a getter that throws (${error instanceof Error ? error.message : "not an Error"})`);
    }
  }
}

function quote(key: unknown): string {
  if (typeof key === "bigint") return `${key}n`;
  const text = typeof key === "string" ? JSON.stringify(key) : String(key);
  return text.length > 80 ? `${text.slice(0, 77)}..."` : text;
}

function pathOf(step: Step): string {
  const segments: string[] = [];
  for (let at: Step | undefined = step; at !== undefined; at = at.parent) segments.push(at.segment);
  segments.reverse();
  if (segments.length > maxSegments) segments.splice(maxSegments / 2, segments.length - maxSegments, "[...]");
  return segments.join("");
}
