import { DataNotCloneableError } from "@duck-ts/runtime";
import { decodeValue, encodeValue, explainNotCloneable } from "@duck-ts/runtime/internal";

/**
 * `value` as it would arrive in another thread, with the same refusals: what stays in one thread is copied too, so that
 * whoever changes an object after giving it away does not change what was given.
 *
 * @throws DataNotCloneableError
 */
export function copied(value: unknown, what: string): unknown {
  if (value === null || !["object", "function", "symbol"].includes(typeof value)) return value;
  try {
    const encoded = encodeValue(value, [], what);
    const { value: inner, specials } = structuredClone({ value: encoded.value, specials: encoded.specials });
    return decodeValue(inner, specials);
  } catch (cause) {
    throw cause instanceof DataNotCloneableError ? cause : explainNotCloneable(value, what, { cause });
  }
}
