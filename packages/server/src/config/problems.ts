import { inspect } from "node:util";
import type { z } from "zod";
import { isMisspelt } from "../misspelt.ts";
import type { ConfigProblem } from "./config-error.ts";
import { knownSettings } from "./schema.ts";

/** Turns what zod says of `config` into problems: one a place, each with what stood there. */
export function problemsOf(error: z.ZodError, config: unknown, source: string): ConfigProblem[] {
  const found = new Map<string, ConfigProblem>();
  const add = (path: readonly PropertyKey[], expected: string, missing: boolean): void => {
    const written = writePath(path);
    if (found.has(written)) return;
    found.set(written, {
      source,
      path: written,
      found: missing ? "nothing" : describeFound(path, valueAt(config, path)),
      expected,
    });
  };
  for (const issue of error.issues) {
    if (issue.code === "unrecognized_keys") {
      for (const key of issue.keys) add([...issue.path, key], expectedInsteadOf(issue.path, key), false);
    } else {
      add(issue.path, issue.message, valueAt(config, issue.path) === undefined);
    }
  }
  return [...found.values()];
}

/** A value as it would be written in a config file, short. */
export function describeValue(value: unknown): string {
  if (value === undefined) return "nothing";
  if (typeof value === "string") return JSON.stringify(value.length > 80 ? `${value.slice(0, 77)}...` : value);
  if (typeof value === "function") return value.name === "" ? "a function" : `the function ${value.name}`;
  return inspect(value, { depth: 1, breakLength: Number.POSITIVE_INFINITY, maxArrayLength: 5, maxStringLength: 40 });
}

function describeFound(path: readonly PropertyKey[], value: unknown): string {
  // A key or passphrase in a log is a key or passphrase lost.
  if (path[1] === "https" && typeof value !== "object") return `a ${typeof value}, not shown`;
  return describeValue(value);
}

function writePath(path: readonly PropertyKey[]): string {
  let written = "";
  for (const step of path) {
    if (typeof step === "number") written += `[${step}]`;
    else written += written === "" ? String(step) : `.${String(step)}`;
  }
  return written;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let current = value;
  for (const step of path) {
    if (typeof current !== "object" || current === null) return undefined;
    current = (current as Record<PropertyKey, unknown>)[step];
  }
  return current;
}

function expectedInsteadOf(path: readonly PropertyKey[], key: string): string {
  const known = knownSettings[writePath(path).replace(/\[\d+\]/g, "[]")] ?? [];
  const near = known.find((name) => isNear(name.toLowerCase(), key.toLowerCase()));
  if (near !== undefined) return `no setting of this name (did you mean "${near}"?)`;
  const elsewhere = Object.entries(knownSettings).find(([, names]) => names.includes(key));
  if (elsewhere !== undefined && elsewhere[0] !== "")
    return `no setting of this name here (there is "${elsewhere[0]}.${key}")`;
  return `no setting of this name (there are ${known.join(", ")})`;
}

/** Whether two words differ by no more than two letters, or one holds the other. */
function isNear(a: string, b: string): boolean {
  return a.startsWith(b) || b.startsWith(a) || isMisspelt(a, b);
}
