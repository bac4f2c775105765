import type { LogLevel } from "../config/types.ts";
import { versionText } from "./help.ts";

/** What a command touches of the process. */
export interface CommandIo {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly stdout: { write(text: string): unknown; readonly isTTY?: boolean | undefined };
  readonly stderr: { write(text: string): unknown };
  readonly signals: Pick<NodeJS.Process, "on" | "off">;
  /** Ends the process. */
  exit(code: number): void;
  version(): string;
  /** How long a start may take, in milliseconds, before it counts as one that never ends. */
  readonly startDeadlineMs: number;
  /** Whether lines about the process are written for people; decided when the configuration is known. */
  forPeople: boolean;
  /** What such a line has to be to be written; the configuration's, when that is known. */
  logLevel: LogLevel;
}

export function processIo(): CommandIo {
  outliveReaders();
  return {
    cwd: process.cwd(),
    env: process.env,
    stdout: process.stdout,
    stderr: process.stderr,
    signals: process,
    exit: (code) => process.exit(code),
    version: versionText,
    startDeadlineMs: 60_000,
    forPeople: process.stdout.isTTY === true,
    logLevel: "info",
  };
}

/**
 * Whoever reads the output may end first: with Ctrl-C below `duck-ts serve | pino-pretty` both are told to. That must not
 * keep the server from finishing what is running.
 */
function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
    });
  }
}
