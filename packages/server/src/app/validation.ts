/** Checks a request's data against the schemas of its route, all of them, so that one answer names every issue. */
import { HttpError, InvalidReplyError } from "../errors.ts";
import type { RouteSchemas, Schema } from "./schema.ts";

/** One thing that is wrong with a request. */
export interface ValidationIssue {
  readonly in: "params" | "query" | "headers" | "body";
  /** Where inside it, `["address", "street"]`. */
  readonly path: readonly (string | number)[];
  readonly message: string;
  readonly code: string;
}

const PARTS = ["params", "query", "headers", "body"] as const;
type Part = (typeof PARTS)[number];

/** The data that `read` gives for each part that has a schema, in its parsed form. */
export type ValidatedParts = Partial<Record<Part, unknown>>;

/**
 * Parses each part that has a schema. A promise only where a schema is asynchronous.
 * @param hasForm whether the body is a form's fields.
 * @throws {HttpError} 400 with every issue of every part.
 */
export function validateParts(
  schemas: RouteSchemas,
  read: (part: Part) => unknown,
  hasForm = false,
): ValidatedParts | Promise<ValidatedParts> {
  const out: ValidatedParts = {};
  const issues: ValidationIssue[] = [];
  for (const part of PARTS) {
    const schema = schemas[part];
    if (schema === undefined) continue;
    const input = read(part);
    let result: ReturnType<Schema["safeParse"]>;
    try {
      result = schema.safeParse(input);
      const lists = part === "query" || (part === "body" && hasForm) ? singlesAsLists(input, result) : undefined;
      if (lists !== undefined) result = schema.safeParse(lists);
    } catch (error) {
      if (isAsyncSchema(error)) return validateAsync(schemas, read, hasForm);
      throw error;
    }
    collect(part, result, out, issues);
  }
  if (issues.length > 0) throw invalid(issues);
  return out;
}

async function validateAsync(
  schemas: RouteSchemas,
  read: (part: Part) => unknown,
  hasForm: boolean,
): Promise<ValidatedParts> {
  const out: ValidatedParts = {};
  const issues: ValidationIssue[] = [];
  for (const part of PARTS) {
    const schema = schemas[part];
    if (schema === undefined) continue;
    const input = read(part);
    let result = await schema.safeParseAsync(input);
    const lists = part === "query" || (part === "body" && hasForm) ? singlesAsLists(input, result) : undefined;
    if (lists !== undefined) result = await schema.safeParseAsync(lists);
    collect(part, result, out, issues);
  }
  if (issues.length > 0) throw invalid(issues);
  return out;
}

/**
 * `?tag=a` is a list of one as well as a single value, and which of them only the schema knows: where it wants a list, the
 * fields with each such value in one; `undefined` where it wants none.
 */
function singlesAsLists(input: unknown, result: ReturnType<Schema["safeParse"]>): unknown {
  if (result.success) return undefined;
  const fields = input as Readonly<Record<string, unknown>>;
  const singles = result.error.issues.flatMap(({ code, path, ...issue }) => {
    const name = String(path[0]);
    const wantsList = code === "invalid_type" && "expected" in issue && issue.expected === "array" && path.length === 1;
    return wantsList && typeof fields[name] === "string" ? [[name, [fields[name]]]] : [];
  });
  return singles.length === 0 ? undefined : { ...fields, ...Object.fromEntries(singles) };
}

function collect(
  part: Part,
  result: ReturnType<Schema["safeParse"]>,
  out: ValidatedParts,
  issues: ValidationIssue[],
): void {
  if (result.success) {
    out[part] = result.data;
    return;
  }
  for (const issue of result.error.issues) {
    const path = issue.path.map((key) => (typeof key === "symbol" ? String(key) : key));
    issues.push({ in: part, path, message: issue.message, code: issue.code ?? "custom" });
  }
}

function invalid(issues: readonly ValidationIssue[]): HttpError {
  const where = issues.map((issue) => [issue.in, ...issue.path].join("."));
  return new HttpError(400, `The request is not valid: ${[...new Set(where)].join(", ")}.`, { issues });
}

/** zod throws this class where a synchronous parse meets an asynchronous check. */
function isAsyncSchema(error: unknown): boolean {
  return error instanceof Error && /Async/.test(error.constructor.name);
}

/**
 * Parses what a handler is about to send against its route's `response` schema.
 * @throws {InvalidReplyError} when it does not fit, or the status has no schema.
 */
export function validateResponse(response: RouteSchemas["response"], status: number, data: unknown): unknown {
  if (response === undefined) return data;
  const schema = pickSchema(response, status);
  if (schema === undefined) return data;
  const result = schema.safeParse(data);
  if (result.success) return result.data;
  const where = result.error.issues.map((issue) => `${issue.path.map(String).join(".") || "(root)"}: ${issue.message}`);
  throw new InvalidReplyError(`The answer does not fit the route's response schema: ${where.join("; ")}.`);
}

function pickSchema(response: NonNullable<RouteSchemas["response"]>, status: number): Schema | undefined {
  if (typeof (response as Schema).safeParse === "function") {
    return status >= 200 && status < 300 ? (response as Schema) : undefined;
  }
  return (response as Readonly<Record<number, Schema>>)[status];
}
