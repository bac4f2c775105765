import { inspect } from "node:util";
import { UsageError } from "./arguments.ts";

/** How a command ends that could not do its work: one message, one code. */
export interface Failure {
  readonly message: string;
  readonly exitCode: number;
}

/** What a user is told of an error. A stack only where it leads to the user's own code. */
export function describeFailure(error: unknown): Failure {
  if (error instanceof UsageError) return { message: error.message, exitCode: 2 };
  const { code, address, port, path } = (error ?? {}) as {
    code?: unknown;
    address?: string;
    port?: number;
    path?: string;
  };
  const place =
    port === undefined ? (path ?? "its address") : `${address ?? "port"}${address === undefined ? " " : ":"}${port}`;
  // By code and not by class: to know the classes would be to load all they come from, for `--help` too.
  switch (code) {
    case "DUCK_CONFIG":
      return { message: (error as Error).message, exitCode: 2 };
    case "DUCK_APP_LOAD":
      return { message: `The app cannot be used.\n${(error as Error).message}`, exitCode: 1 };
    case "EADDRINUSE":
      return {
        message: `Cannot listen on ${place}: something else does already. Stop it, or choose another with --port.`,
        exitCode: 1,
      };
    case "EACCES":
      return {
        message: `Cannot listen on ${place}: not permitted. Ports below 1024 need a privilege; choose another with --port.`,
        exitCode: 1,
      };
    case "EADDRNOTAVAIL":
      return {
        message: `Cannot listen on ${place}: this machine has no such address. Choose another with --host.`,
        exitCode: 1,
      };
    case "ENOTFOUND":
      return {
        message: `Cannot listen: the host of --host, HOST or server.host is not known. (${(error as Error).message})`,
        exitCode: 1,
      };
    default:
      return { message: `Could not start.\n${withCauses(error)}`, exitCode: 1 };
  }
}

/** The message of an error, and the stack of what lies at its bottom: that is where the user's code is. */
function withCauses(error: unknown): string {
  if (!(error instanceof Error)) return inspect(error);
  if (!(error.cause instanceof Error)) return error.stack ?? `${error.name}: ${error.message}`;
  return `${error.message}\n${withCauses(error.cause)}`;
}
