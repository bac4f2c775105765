import type { Logger } from "pino";

/** What a worker sends to main. Posting is all a worker has to do: what is posted survives its termination. */
export type LogWireMessage =
  /** Finished JSON lines, as pino writes them, each with its newline. */
  | { readonly kind: "log"; readonly lines: string }
  /** What user code wrote with console.log or to process.stdout / process.stderr. */
  | { readonly kind: "stdout" | "stderr"; readonly text: string };

interface Output {
  write(text: string): unknown;
}

const outputs = new WeakMap<Logger, Output>();

/** Remembers where a logger writes, for the lines of workers to go there too. */
export function registerOutput(logger: Logger, output: Output): void {
  outputs.set(logger, output);
}

/**
 * Writes what came over the wire to where `logger` writes, in the order of arrival. Call it on main.
 * The lines are not parsed again: the worker has applied the level already.
 */
export function receiveLogMessage(logger: Logger, message: LogWireMessage): void {
  switch (message.kind) {
    case "log":
      (outputs.get(logger) ?? process.stdout).write(message.lines);
      return;
    case "stdout":
      (outputs.get(logger) ?? process.stdout).write(message.text);
      return;
    case "stderr":
      process.stderr.write(message.text);
      return;
    default:
      throw new TypeError(`A log message of unknown kind: ${JSON.stringify(message satisfies never)}`);
  }
}
