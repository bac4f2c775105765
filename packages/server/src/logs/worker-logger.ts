import { format, inspect } from "node:util";
import type { LogLevel } from "../config/types.ts";
import { errorFields, stringifyFields } from "./fields.ts";
import { levels } from "./levels.ts";
import type { LogWireMessage } from "./wire.ts";

/** A line's method: `log.info("text")` or `log.info({ fields }, "text")`, as pino has it; `%s` and the rest are filled in. */
interface LogMethod {
  (message: string, ...rest: unknown[]): void;
  (fields: object, message?: string, ...rest: unknown[]): void;
}

/** What handlers get as `ctx.log`: pino's shape without pino's weight. Every line goes over the wire at once. */
export interface WorkerLogger {
  readonly level: LogLevel;
  readonly trace: LogMethod;
  readonly debug: LogMethod;
  readonly info: LogMethod;
  readonly warn: LogMethod;
  readonly error: LogMethod;
  readonly fatal: LogMethod;
  /** A logger whose lines carry `bindings` too. */
  child(bindings: Readonly<Record<string, unknown>>): WorkerLogger;
  isLevelEnabled(level: LogLevel): boolean;
}

const nothing: LogMethod = () => {};

/** The logger of a worker thread. `post` hands a message to main: `(message) => port.postMessage(message)`. */
export function createWorkerLogger(options: {
  readonly level: LogLevel;
  readonly post: (message: LogWireMessage) => void;
  /** On every line; `{ thread: name }` at least. */
  readonly bindings?: Readonly<Record<string, unknown>>;
}): WorkerLogger {
  return new PostingLogger(options.level, options.post, stringifyFields({ pid: process.pid, ...options.bindings }));
}

class PostingLogger implements WorkerLogger {
  readonly level: LogLevel;
  readonly #post: (message: LogWireMessage) => void;
  /** What every line of this logger carries, as JSON members: `,"thread":"request-1"`. Made once, not once a line. */
  readonly #members: string;
  readonly trace: LogMethod;
  readonly debug: LogMethod;
  readonly info: LogMethod;
  readonly warn: LogMethod;
  readonly error: LogMethod;
  readonly fatal: LogMethod;

  constructor(level: LogLevel, post: (message: LogWireMessage) => void, members: string) {
    this.level = level;
    this.#post = post;
    this.#members = members;
    this.trace = this.#method("trace");
    this.debug = this.#method("debug");
    this.info = this.#method("info");
    this.warn = this.#method("warn");
    this.error = this.#method("error");
    this.fatal = this.#method("fatal");
  }

  child(bindings: Readonly<Record<string, unknown>>): WorkerLogger {
    return new PostingLogger(this.level, this.#post, this.#members + stringifyFields(bindings));
  }

  isLevelEnabled(level: LogLevel): boolean {
    return levels[level] >= levels[this.level] && level !== "silent";
  }

  #method(level: Exclude<LogLevel, "silent">): LogMethod {
    if (!this.isLevelEnabled(level)) return nothing;
    const number = levels[level];
    return (first: unknown, ...rest: unknown[]): void => {
      let members = "";
      let message: unknown = first;
      if (first instanceof Error) {
        members = stringifyFields({ err: errorFields(first) });
        message = rest.length > 0 ? rest.shift() : first.message;
      } else if (typeof first === "object" && first !== null) {
        members = stringifyFields(first);
        message = rest.shift();
      } else if (first === null || first === undefined) message = rest.shift();
      if (message !== undefined) {
        const text = typeof message === "string" ? message : inspect(message);
        members += `,"msg":${JSON.stringify(rest.length > 0 ? format(text, ...rest) : text)}`;
      }
      this.#post({ kind: "log", lines: `{"level":${number},"time":${Date.now()}${this.#members}${members}}\n` });
    };
  }
}
