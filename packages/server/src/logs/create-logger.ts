import { isatty } from "node:tty";
import { type Logger, pino } from "pino";
import type { ResolvedConfig } from "../config/types.ts";
import { registerOutput } from "./wire.ts";

/** Anything with a `write`; `isTTY` decides what `pretty: "auto"` means. */
export interface LogStream {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
}

/** How much is kept for a reader that does not read, in bytes, before lines are dropped: main must not run out of memory. */
const longestBacklogBytes = 64 * 1024 * 1024;

/**
 * Main's logger: JSON lines on stdout, or lines for people on a terminal. It never blocks main, also when whoever reads
 * the output is slow; what is still on its way when the process exits is written then.
 */
export async function createLogger(settings: ResolvedConfig["log"], stream?: LogStream): Promise<Logger> {
  const onTerminal = stream === undefined ? isatty(1) : stream.isTTY === true;
  const pretty = settings.pretty === "auto" ? onTerminal : settings.pretty;
  const plain = stream ?? pino.destination({ dest: 1, sync: false, maxLength: longestBacklogBytes });
  const output = pretty ? await prettify(plain, onTerminal && !process.env.NO_COLOR) : plain;
  // What main writes of a request names the request's thread; everything else is main's own.
  const mixin = (fields: object): object => ("thread" in fields ? {} : { thread: "main" });
  const logger = pino({ level: settings.level, base: { pid: process.pid }, mixin }, output);
  registerOutput(logger, output);
  return logger;
}

/** Lines for people. What is no JSON line, `console.log` in a handler say, goes through as it is. */
async function prettify(output: LogStream, colorize: boolean): Promise<LogStream> {
  const { prettyFactory } = await import("pino-pretty");
  const pretty = prettyFactory({ colorize, translateTime: "HH:MM:ss.l", ignore: "pid,hostname", singleLine: true });
  return {
    write(text) {
      if (!text.startsWith("{")) return output.write(text);
      return output.write(text.trimEnd().split("\n").map(pretty).join(""));
    },
  };
}
