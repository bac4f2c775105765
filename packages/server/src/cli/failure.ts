import { createRequire } from "node:module";
import { dirname, sep } from "node:path";
import { inspect } from "node:util";
import { UsageError } from "./arguments.ts";
import { StartTimeoutError } from "./start-timeout-error.ts";

/** How a command ends that could not do its work: one message, one code. */
export interface Failure {
  readonly message: string;
  readonly exitCode: number;
}

/** What a user is told of an error. A stack only where it leads to the user's own code. */
export function describeFailure(error: unknown): Failure {
  if (error instanceof UsageError) return { message: error.message, exitCode: 2 };
  if (error instanceof StartTimeoutError) return { message: `Could not start. ${error.message}`, exitCode: 1 };
  const { code, syscall } = (error ?? {}) as NodeJS.ErrnoException;
  const place = placeOf((error ?? {}) as ListenError);
  // By code and not by class: to know the classes would be to load all they come from, for `--help` too.
  switch (code) {
    case "DUCK_CONFIG":
      return { message: withoutOwnFrames((error as Error).message), exitCode: 2 };
    case "DUCK_APP_LOAD":
      return { message: `The app cannot be used.\n${withoutOwnFrames((error as Error).message)}`, exitCode: 1 };
    case "EADDRINUSE":
      return {
        message: `Cannot listen on ${place}: something else does already. Stop it, or choose another with --port.`,
        exitCode: 1,
      };
    case "EACCES":
      if (syscall !== "listen" && syscall !== "bind") break;
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
  }
  return { message: `Could not start.\n${withCauses(error)}`, exitCode: 1 };
}

/** What Node says of an address on which it could not listen. It leaves out port 0, and gives a unix socket port -1. */
interface ListenError {
  readonly address?: string;
  readonly port?: number;
  readonly path?: string;
}

function placeOf({ address, port, path }: ListenError): string {
  if (port === undefined || port < 0) return path ?? address ?? "its address";
  return address === undefined ? `port ${port}` : `${address}:${port}`;
}

/** The message of an error, and the stack of what lies at its bottom: that is where the user's code is. */
function withCauses(error: unknown): string {
  if (!(error instanceof Error)) return inspect(error);
  let deepest = error;
  while (deepest.cause instanceof Error) deepest = deepest.cause;
  // This project's own errors say in words what to do; where in this project they arose helps nobody.
  if (String((deepest as { code?: unknown }).code).startsWith("DUCK_")) return error.message;
  const stack = withoutOwnFrames(deepest.stack ?? `${deepest.name}: ${deepest.message}`);
  return deepest === error ? stack : `${error.message}\n${stack}`;
}

/** Leaves what is the user's of a stack. Where nothing is, it is this project that failed: then all of it. */
function withoutOwnFrames(stack: string): string {
  const lines = stack.split("\n");
  const kept = lines.filter((line) => !/^\s+at /.test(line) || !isOwnFrame(line));
  return kept.some((line) => /^\s+at /.test(line)) ? kept.join("\n") : stack;
}

function isOwnFrame(line: string): boolean {
  return (
    /\(?node:|[\\/]@duck-ts[\\/](server|managers|runtime)[\\/]|[\\/]node_modules[\\/]tinypool[\\/]/.test(line) ||
    line.includes(packagesFolder)
  );
}

/** Where this package lies beside the two that it is made of, in the repository as in an installation. */
const packagesFolder = dirname(dirname(createRequire(import.meta.url).resolve("@duck-ts/server/package.json"))) + sep;
