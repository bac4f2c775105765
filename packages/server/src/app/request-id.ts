/** The id of the request that the current code works for, on whatever thread that is. */
import { type ContextVar, contextVar } from "@duck-ts/runtime";

/** Travels with every task that a handler submits. */
export const requestIdVar: ContextVar<string> = contextVar<string>("duck.requestId");

/**
 * The id of the request that this code works for: in its handler, in what that awaits, and in the tasks it submits to
 * loops and pools. `undefined` elsewhere. For log lines, chiefly.
 */
export function currentRequestId(): string | undefined {
  return requestIdVar.get();
}
