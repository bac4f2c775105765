/** What a route may say about its data, and the types that follow from it. */
import type { PathParams } from "./path.ts";

/**
 * Any schema of zod 4, of zod/mini too. Said by what is used of it, and not as zod's own type: that of one minor version
 * is not assignable to another's, and an app need not have the version that this package has.
 */
export interface Schema<Out = unknown, In = unknown> {
  /** Where zod keeps the types that a schema gives and takes. */
  readonly _zod: { readonly output: Out; readonly input: In };
  safeParse(data: unknown): Parsed<Out>;
  safeParseAsync(data: unknown): Promise<Parsed<Out>>;
}

/** What parsing gives: data, or what is wrong with it. */
type Parsed<Out> =
  | { readonly success: true; readonly data: Out }
  | { readonly success: false; readonly error: { readonly issues: readonly ParseIssue[] } };

interface ParseIssue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly code?: string | undefined;
}

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

type OutputOf<S, Fallback> = S extends Schema ? S["_zod"]["output"] : Fallback;

/** The type of `ctx.params`: what the schema makes of them, else what the path literal names. */
export type ParamsOf<P extends string, O> = O extends { params: infer S } ? OutputOf<S, never> : PathParams<P>;
export type QueryOf<O> = O extends { query: infer S } ? OutputOf<S, never> : RawQuery;
export type HeadersOf<O> = O extends { headers: infer S } ? OutputOf<S, never> : RawHeaders;
export type BodyOf<O> = O extends { body: infer S } ? OutputOf<S, never> : unknown;

/** The statuses that a record of `response` schemas names. */
export type NamedStatus<O> = O extends { response: infer S } ? (S extends Schema ? never : keyof S) : never;

/** The data a handler may return as it is, given its `response` schema. */
export type ResponseData<O> = O extends { response: infer S }
  ? S extends Schema
    ? S["_zod"]["input"]
    : S extends Readonly<Record<number, Schema>>
      ? { [K in keyof S]: S[K] extends Schema ? S[K]["_zod"]["input"] : never }[keyof S]
      : unknown
  : unknown;
