/** Errors as `application/problem+json`, RFC 9457. */
import { STATUS_CODES } from "node:http";
import { HttpError } from "../errors.ts";

/** The members of a problem; `details` is what an HttpError was given. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail?: string;
  readonly instance?: string;
  readonly requestId?: string;
  readonly details?: unknown;
  readonly stack?: string;
}

/** A problem of `status` with nothing but what is given. */
export function problem(status: number, detail?: string, more: Partial<Problem> = {}): Problem {
  return {
    type: "about:blank",
    title: STATUS_CODES[status] ?? "Error",
    status,
    ...(detail === undefined ? {} : { detail }),
    ...more,
  };
}

/**
 * The problem that stands for a thrown value. 4xx say what they were given; of a 5xx the message, details and stack are
 * said only in development.
 */
export function problemOf(error: unknown, development: boolean, requestId: string): Problem {
  const status = statusOf(error);
  const message = messageOf(error);
  const details: unknown = (error as { details?: unknown } | null)?.details;
  if (status < 500) {
    return problem(status, message, details === undefined ? { requestId } : { details, requestId });
  }
  if (!development) return problem(status, HttpError.is(error) ? undefined : "The server failed.", { requestId });
  return problem(status, message, {
    ...(details === undefined ? {} : { details }),
    ...(error instanceof Error && error.stack !== undefined ? { stack: error.stack } : {}),
    requestId,
  });
}

/** Libraries throw plain objects with a `message`, too. */
function messageOf(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null) return String(error);
  const { message } = error as { message?: unknown };
  return typeof message === "string" ? message : undefined;
}

/** The status that an error asks for: an HttpError's, or a 4xx or 5xx in `status` or `statusCode` as libraries do; else 500. */
export function statusOf(error: unknown): number {
  if (typeof error !== "object" || error === null) return 500;
  if (HttpError.is(error)) return error.status;
  const { status, statusCode } = error as { status?: unknown; statusCode?: unknown };
  const wanted = typeof status === "number" ? status : statusCode;
  return typeof wanted === "number" && Number.isInteger(wanted) && wanted >= 400 && wanted < 600 ? wanted : 500;
}
