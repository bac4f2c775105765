import { inspect } from "node:util";

/** Fields as JSON members with a leading comma each. Logging must not throw, so what JSON cannot say is inspected. */
export function stringifyFields(fields: object): string {
  let members = "";
  try {
    for (const [key, value] of Object.entries(fields)) {
      const json = toJson(value instanceof Error ? errorFields(value) : value);
      if (json !== undefined) members += `,${JSON.stringify(key)}:${json}`;
    }
  } catch (error) {
    // A getter or a proxy that throws. Whether what it throws can be read is not certain either.
    members += `,"unreadable":${JSON.stringify(error instanceof Error ? String(error.message) : typeof error)}`;
  }
  return members;
}

function toJson(value: unknown): string | undefined {
  try {
    return JSON.stringify(value, replaceBigInt);
  } catch {
    return JSON.stringify(inspect(value, { depth: 4, breakLength: Number.POSITIVE_INFINITY }));
  }
}

function replaceBigInt(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}

/** How far a chain of causes is followed. */
const deepestCause = 5;

/** An error as pino's serializer shows it, with its causes and what an AggregateError holds. */
export function errorFields(error: Error, depth = 0): Record<string, unknown> {
  const fields: Record<string, unknown> = { type: error.name, message: error.message, stack: error.stack };
  for (const [key, value] of Object.entries(error)) fields[key] ??= value;
  if (depth < deepestCause) {
    if (error.cause !== undefined)
      fields.cause = error.cause instanceof Error ? errorFields(error.cause, depth + 1) : error.cause;
    if (error instanceof AggregateError) {
      fields.errors = error.errors.map((one: unknown) => (one instanceof Error ? errorFields(one, depth + 1) : one));
    }
  }
  return fields;
}
