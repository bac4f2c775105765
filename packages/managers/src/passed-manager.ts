/** A manager as an argument or result of a task: over there a handle of the same one, as look-up by its id would give. */
import { registerSpecialKind } from "@duck-ts/runtime/internal";
import { Manager } from "./manager.ts";
import type { Introduction } from "./protocol.ts";
import { handleOf } from "./resolver.ts";

registerSpecialKind({
  tag: "manager",
  is: (value) => value instanceof Manager,
  encode: (value) => ({ ...(value as Manager).introduction }),
  decode: (payload) => handleOf(payload as Introduction),
});
