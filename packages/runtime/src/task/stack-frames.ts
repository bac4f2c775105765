/** What this project reads of V8's CallSite. `@types/node` knows nothing of the enclosing position. */
export interface StackFrame {
  getFileName(): string | null | undefined;
  getFunctionName(): string | null;
  getLineNumber(): number | null;
  getColumnNumber(): number | null;
  /** Where the function that the frame runs begins; a module's top level begins at 1:1. */
  getEnclosingLineNumber(): number | null;
  getEnclosingColumnNumber(): number | null;
  isEval(): boolean;
  isAsync(): boolean;
}

/** Any function, where only which one it is matters. */
export type Callable = (...args: never[]) => unknown;

/** The frames of who called `callee`, the innermost first; those behind an await come last and say `isAsync()`. */
export function callersOf(callee: Callable): readonly StackFrame[] {
  const { prepareStackTrace, stackTraceLimit } = Error;
  try {
    Error.stackTraceLimit = Number.POSITIVE_INFINITY;
    Error.prepareStackTrace = (_error, frames) => frames;
    const holder: { stack?: unknown } = {};
    Error.captureStackTrace(holder, callee);
    // The trace is prepared when it is first read, so it must be read before the hook goes.
    return holder.stack as readonly StackFrame[];
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    // Types leave it out, but undefined is what Node itself holds there, and what it takes for "none".
    Error.prepareStackTrace = prepareStackTrace as NonNullable<typeof prepareStackTrace>;
  }
}
