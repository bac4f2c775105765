/**
 * Every error of the server's request path. Each class has a stable `code`, typed fields, and a message that says what
 * happened, what was expected and what to do.
 */

import { DuckError } from "@duck-ts/runtime";
import { described } from "./app/described.ts";

/** Marks an HttpError across copies of this package (an app may bundle its own). */
const HTTP_ERROR: symbol = Symbol.for("duck-ts.http-error");

/**
 * Thrown by a handler to answer with a status of 400 to 599, as `application/problem+json` (RFC 9457).
 *
 * @example
 * ```ts run
 * import { HttpError } from "@duck-ts/server";
 *
 * const error = new HttpError(409, "That name is taken", { name: "ada" });
 * console.log(error.status, error.details);
 * ```
 */
export class HttpError extends DuckError {
  /** The status of the answer, 400 to 599. */
  readonly status: number;
  /** More for the client, as the member `details` of the problem; of a 5xx only in development. */
  readonly details: unknown;
  /** Headers that the answer shall carry, `retry-after` say. */
  readonly headers: Readonly<Record<string, string>> | undefined;

  /** @throws {RangeError} when `status` is not an integer from 400 to 599. */
  constructor(
    status: number,
    message?: string,
    details?: unknown,
    options?: ErrorOptions & { headers?: Readonly<Record<string, string>> },
  ) {
    super("DUCK_HTTP_ERROR", message ?? `HTTP ${status}`, options);
    if (!Number.isInteger(status) || status < 400 || status > 599) {
      throw new RangeError(`HttpError: status must be an integer from 400 to 599, got ${described(status)}.`);
    }
    this.status = status;
    this.details = details;
    this.headers = options?.headers;
    Object.defineProperty(this, HTTP_ERROR, { value: true });
  }
  /** Is `value` an HttpError, of this or another copy of the package? */
  static is(value: unknown): value is HttpError {
    return typeof value === "object" && value !== null && (value as Record<symbol, unknown>)[HTTP_ERROR] === true;
  }
}

/** An app or a route is declared in a way that cannot work; says which one, what was found and what was expected. */
export class AppDefinitionError extends DuckError {
  constructor(message: string, options?: ErrorOptions) {
    super("DUCK_APP_DEFINITION", message, options);
  }
}

/** What a handler returned cannot be sent: header values with line breaks, an impossible status, a body on a 204. */
export class InvalidReplyError extends DuckError {
  constructor(message: string, options?: ErrorOptions) {
    super("DUCK_INVALID_REPLY", message, options);
  }
}

/** A request thread could not start: the app or a plugin failed, or did not end in time, while imported or in `onWorkerStart`. */
export class WorkerStartError extends DuckError {
  constructor(message: string, options?: ErrorOptions) {
    super("DUCK_WORKER_START", message, options);
  }
}

/** The workers disagree about the app's routes, so that main cannot know which handler it would reach. */
export class RouteTableMismatchError extends DuckError {
  constructor(message: string, options?: ErrorOptions) {
    super("DUCK_ROUTE_TABLE_MISMATCH", message, options);
  }
}

/**
 * The server is already listening, closing or closed, or is handed more sockets than one, and cannot do what was asked; or
 * it was to be made in a request thread.
 */
export class ServerStateError extends DuckError {
  constructor(message: string, options?: ErrorOptions) {
    super("DUCK_SERVER_STATE", message, options);
  }
}
