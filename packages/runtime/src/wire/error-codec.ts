/** What was thrown in one thread, thrown again in another: errors whole, other values as values. */
import type { Transferable } from "node:worker_threads";
import { findNotCloneable } from "./clone-path.ts";
import { describe, describeError, type ErrorPayload, errorKind, isError, nothingTransfers } from "./error-kind.ts";
import { withSubmitter } from "./error-stack.ts";
import type { Encoded, SpecialSlot } from "./special-kinds.ts";
import { decodeValue, encodeValue } from "./value-codec.ts";
import { isReference } from "./value-shape.ts";

export { registerErrorClass } from "./error-classes.ts";

/** Anything thrown, ready to be posted (in one message). `kind` says whether an Error will come out of it. */
export interface EncodedThrown extends Encoded {
  readonly kind: "error" | "value";
}

/**
 * Makes anything thrown ready to be posted. Never throws, and what it returns can always be posted: a field that cannot
 * cross arrives as its `util.inspect` text, a thrown value that cannot as an Error that describes it.
 *
 * @param options.transfer where given, special values in the error's fields cross too and may add to it. Without it
 * they arrive as text, since nothing can be transferred.
 */
export function encodeError(thrown: unknown, options?: { readonly transfer?: Transferable[] }): EncodedThrown {
  const transfer = options?.transfer ?? nothingTransfers;
  const kind = isError(thrown) ? "error" : "value";
  try {
    if (!isReference(thrown) && typeof thrown !== "symbol") return { kind, value: thrown, specials: undefined };
    if (kind === "value" && !canPost(thrown, transfer)) return bare(uncloneable(thrown));
    const { value, specials } = encodeValue(thrown, transfer, "error");
    if (!isProven(specials, transfer)) structuredClone({ value, specials });
    return { kind, value, specials };
  } catch {
    return bare(kind === "error" ? (thrown as Error) : uncloneable(thrown));
  }
}

/**
 * What was thrown, rebuilt. Never throws.
 *
 * @param submittedAt the stack of the submitting thread (an `Error.stack`): it is shown beneath the error's own.
 */
export function decodeThrown(encoded: EncodedThrown, submittedAt?: string): unknown {
  let thrown: unknown;
  try {
    thrown = decodeValue(encoded.value, encoded.specials);
  } catch (cause) {
    thrown = new Error("A task failed, and what it threw could not be rebuilt in this thread.", { cause });
  }
  if (submittedAt !== undefined && isError(thrown)) {
    const stack = withSubmitter(String(thrown.stack), submittedAt);
    Object.defineProperty(thrown, "stack", { value: stack, enumerable: false, writable: true, configurable: true });
  }
  return thrown;
}

function canPost(thrown: unknown, transfer: Transferable[]): boolean {
  if (!isReference(thrown)) return typeof thrown !== "symbol";
  const claimed = (tag: string): boolean => transfer !== nothingTransfers || tag === errorKind.tag;
  const { culprit, exhausted, depth } = findNotCloneable(thrown, "", [], claimed);
  return culprit === undefined && !exhausted && depth < 1_000;
}

/** Whether posting cannot fail, so that it need not be tried: no error carries an object but other errors. */
function isProven(specials: readonly SpecialSlot[] | undefined, transfer: Transferable[]): boolean {
  if (transfer.length > 0) return true; // trying would transfer
  return specials?.every(({ tag, payload }) => tag === errorKind.tag && isFlat(payload as ErrorPayload)) ?? false;
}

function isFlat({ fields, hidden }: ErrorPayload): boolean {
  return ![...Object.values(fields ?? {}), ...Object.values(hidden ?? {})].some(isReference);
}

/** The last resort: strings only. */
function bare(error: Error): EncodedThrown {
  const payload = describeError(error, () => false);
  return { kind: "error", value: null, specials: [{ tag: errorKind.tag, payload, at: [null, 0] }] };
}

function uncloneable(thrown: unknown): Error {
  return new Error(`A value was thrown that cannot cross to another thread: ${describe(thrown)}`);
}
