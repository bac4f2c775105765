import { parseCommandLine } from "./arguments.ts";
import { describeFailure } from "./failure.ts";
import { helpText } from "./help.ts";
import { type CommandIo, processIo } from "./io.ts";
import type { MakeServer } from "./serve.ts";

/** Loaded beside the configuration, and only by `serve`: it brings Fastify and the engine with it. */
async function loadServer(): Promise<MakeServer> {
  const { createServer } = await import("../http/create-server.ts");
  return createServer;
}

/**
 * Runs one command. Resolves with its exit code, or with null where a server listens now. Whatever goes wrong is one
 * message on stderr and a code; it never rejects.
 */
export async function run(
  argv: readonly string[],
  io: CommandIo = processIo(),
  server: () => Promise<MakeServer> = loadServer,
): Promise<number | null> {
  try {
    const command = parseCommandLine(argv);
    switch (command.name) {
      case "help":
        io.stdout.write(helpText(command.topic));
        return 0;
      case "version":
        io.stdout.write(`${io.version()}\n`);
        return 0;
      case "routes": {
        const { routes } = await import("./routes.ts");
        return await routes(command, io);
      }
      case "serve": {
        const { serve } = await import("./serve.ts");
        return await serve(command, io, server);
      }
      default:
        throw new TypeError(`A command of unknown name: ${JSON.stringify(command satisfies never)}`);
    }
  } catch (error) {
    const { message, exitCode } = describeFailure(error);
    io.stderr.write(`duck-ts: ${message}\n`);
    return exitCode;
  }
}
