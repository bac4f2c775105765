/**
 * Objects of the platform that structured clone takes and empties: what they are is not in fields of their own, so that
 * `{}` would arrive. They are refused, by name and with advice, as functions are.
 */
import type { SpecialKind } from "./special-kinds.ts";

const SIGNAL =
  "Give the signal as options.signal when you submit: taskSignal() is aborted with it over there. Or list util.transferableAbortSignal(signal) in options.transfer.";
const PARTS = "Pass what you need of it: its URL, its status, [...headers], its text or bytes.";

/** By what they call themselves. */
const ADVICE: Readonly<Record<string, string>> = {
  AbortSignal: SIGNAL,
  AbortController: SIGNAL,
  URL: "Pass url.href, and make a URL of it over there.",
  URLSearchParams: "Pass String(params), and make URLSearchParams of it over there.",
  Headers: "Pass [...headers], and make Headers of it over there.",
  FormData: "Pass [...form]; a File in it crosses.",
  Request: PARTS,
  Response: PARTS,
};

/** By prototype: a class is looked at once. */
const known = new WeakMap<object, string | null>();

/** Not by instanceof: to name Response is to load all of fetch. Not by reading the tag either: that may run code. */
function tagOf(prototype: object | null): string | null {
  if (prototype === null) return null;
  const before = known.get(prototype);
  if (before !== undefined) return before;
  const own: unknown = Object.getOwnPropertyDescriptor(prototype, Symbol.toStringTag)?.value;
  const tag =
    typeof own === "string" && Object.hasOwn(ADVICE, own)
      ? own
      : tagOf(Object.getPrototypeOf(prototype) as object | null);
  known.set(prototype, tag);
  return tag;
}

const prototypeOf = (value: object): object | null => Object.getPrototypeOf(value) as object | null;

export const emptiedKinds: SpecialKind = {
  tag: "emptied",
  is: (value) => tagOf(prototypeOf(value)) !== null,
  encode: () => undefined,
  decode: () => undefined,
  refuses(value) {
    const tag = tagOf(prototypeOf(value)) ?? "";
    return { found: `${/^[AEIO]/.test(tag) ? "an" : "a"} ${tag}`, advice: ADVICE[tag] ?? "" };
  },
};
