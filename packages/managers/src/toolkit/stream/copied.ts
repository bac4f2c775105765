import { DataNotCloneableError } from "@duck-ts/runtime";
import { decodeValue, encodeValue, explainNotCloneable } from "@duck-ts/runtime/internal";

/**
 * `value` as it would arrive in another thread: what stays in one thread is copied too, so that a body that changes an
 * object after it gave it away does not change what was given.
 *
 * @throws DataNotCloneableError
 */
export function copied(value: unknown, what: string): unknown {
  if ((typeof value !== "object" || value === null) && typeof value !== "function") return value;
  try {
    const encoded = encodeValue(value, [], what);
    const { value: inner, specials } = structuredClone({ value: encoded.value, specials: encoded.specials });
    return decodeValue(inner, specials);
  } catch (cause) {
    throw cause instanceof DataNotCloneableError ? cause : explainNotCloneable(value, what, { cause });
  }
}
