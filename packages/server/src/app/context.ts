/** What a handler is given. */
import type { WorkerLogger } from "../logs/worker-logger.ts";
import type { BodyOf, HeadersOf, ParamsOf, QueryOf } from "./schema.ts";

/** A logger whose lines carry the request's id; they reach the output also when the thread is terminated afterwards. */
export type ContextLog = WorkerLogger;

/**
 * One request. Everything on it is worked out when it is first read, and may be destructured.
 * It lives in the request thread; nothing of it is shared with another one.
 */
export interface Context<P extends string = string, O = Record<never, never>> {
  readonly params: ParamsOf<P, O>;
  readonly query: QueryOf<O>;
  readonly headers: HeadersOf<O>;
  /**
   * The parsed body: JSON, form fields or text by its content type, else its bytes; `undefined` where there is none.
   * Reading a malformed one is a 400.
   */
  readonly body: BodyOf<O>;
  /** Decoded, by name. */
  readonly cookies: Readonly<Record<string, string | undefined>>;
  readonly method: string;
  /** Path and query as the client sent them. */
  readonly url: string;
  /** The request id: the client's `x-request-id` where it is well-formed, else a new one. */
  readonly id: string;
  /** The client's address, behind a trusted proxy the one it forwarded. */
  readonly ip: string;
  readonly log: ContextLog;
  /** Aborted when the client goes away and at the route's `timeoutMs`. */
  readonly signal: AbortSignal;
  /**
   * The same request as a web `Request`, made when first read. What its `json()` or `formData()` cannot read is a 400 or
   * 415, where the handler does not catch it.
   */
  readonly request: Request;
}
