/** What a route may say about its data, and the types that follow from it. */
import type { z } from "zod";
import type { PathParams } from "./path.ts";

/** Any zod 4 schema. */
export type Schema<Out = unknown, In = unknown> = z.ZodType<Out, In>;

/** The schemas of a route. They are checked in the request thread; what fails is a 400 that names every issue's path. */
export interface RouteSchemas {
  readonly params?: Schema;
  /** Where it wants a list of a name that came once, that is a list of one; so it is with the fields of a form. */
  readonly query?: Schema;
  readonly headers?: Schema;
  /** Without a body it is given `undefined`. */
  readonly body?: Schema;
  /** Of the body of the answer: one schema for every 2xx, or one per status. What does not fit is a 500 and a log line. */
  readonly response?: Schema | Readonly<Record<number, Schema>>;
}

/** Query values without a schema: a string, or all of them where a name came more than once. */
export type RawQuery = Readonly<Record<string, string | string[] | undefined>>;
/** Header values without a schema, by lower-case name; repeated ones are joined by a comma. */
export type RawHeaders = Readonly<Record<string, string | undefined>>;

type OutputOf<S, Fallback> = S extends z.ZodType ? z.output<S> : Fallback;

/** The type of `ctx.params`: what the schema makes of them, else what the path literal names. */
export type ParamsOf<P extends string, O> = O extends { params: infer S } ? OutputOf<S, never> : PathParams<P>;
export type QueryOf<O> = O extends { query: infer S } ? OutputOf<S, never> : RawQuery;
export type HeadersOf<O> = O extends { headers: infer S } ? OutputOf<S, never> : RawHeaders;
export type BodyOf<O> = O extends { body: infer S } ? OutputOf<S, never> : unknown;

/** The statuses that a record of `response` schemas names. */
export type NamedStatus<O> = O extends { response: infer S } ? (S extends z.ZodType ? never : keyof S) : never;

/** The data a handler may return as it is, given its `response` schema. */
export type ResponseData<O> = O extends { response: infer S }
  ? S extends z.ZodType
    ? z.input<S>
    : S extends Readonly<Record<number, Schema>>
      ? { [K in keyof S]: S[K] extends z.ZodType ? z.input<S[K]> : never }[keyof S]
      : unknown
  : unknown;
