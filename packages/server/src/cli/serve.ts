import { constants } from "node:os";
import type { ResolveConfigOptions, ResolvedConfig } from "../config/index.ts";
import { type DuckConfig, resolveConfig } from "../config/index.ts";
import type { Command } from "./arguments.ts";
import { findConfiguration } from "./configuration.ts";
import type { CommandIo } from "./io.ts";
import { handleSignals } from "./signals.ts";
import { type StartUp, summaryLine, summaryText } from "./summary.ts";

/** Of a server, what the command uses. */
export interface ServedServer {
  listen(): Promise<unknown>;
  readonly url: string | null;
  /** Resolves when all is over; `terminated` counts requests that had to be cut off. */
  close(options: { timeoutMs: number }): Promise<unknown>;
  /** Replaces all threads by ones with fresh code. Rejects, and goes on as before, where the fresh code cannot start. */
  reload(): Promise<unknown>;
  readonly routes?: { readonly length: number } | undefined;
}

/** Makes the server; the command's tests put another one here. */
export type MakeServer = (config: DuckConfig, options: ResolveConfigOptions) => Promise<ServedServer>;

/**
 * `duck-ts serve`. Resolves with null once the server listens, and the process then lives on through it; rejects where
 * it cannot be started.
 */
export async function serve(
  command: Extract<Command, { name: "serve" }>,
  io: CommandIo,
  loadServer: () => Promise<MakeServer>,
): Promise<null> {
  // What the server imports takes longer to load than a config file: both at once.
  const loading = loadServer();
  loading.catch(() => {});

  let server: ServedServer | null = null;
  let config: ResolvedConfig | null = null;
  const stop = handleSignals(
    {
      drain(signal) {
        if (server === null || config === null) io.exit(0);
        else void drain(server, config.server.shutdownTimeoutMs, signal, io);
      },
      force(signal) {
        say(io, "warn", `${signal} again: ending at once.`);
        io.exit(128 + constants.signals[signal]);
      },
      reload() {
        if (server !== null) void reload(server, io);
      },
    },
    io.signals,
  );

  try {
    const found = await findConfiguration({ cwd: io.cwd, file: command.config, env: io.env });
    const options: ResolveConfigOptions = {
      root: found.root,
      file: found.file,
      env: io.env,
      flags: { host: command.host, port: command.port, workers: command.workers, logLevel: command.logLevel },
    };
    config = resolveConfig(found.config, options);
    const made = await (await loading)(found.config, options);
    server = made;
    await made.listen();
  } catch (error) {
    stop();
    // Threads and half a server may be left: they end with the process, which the entry sees to.
    throw error;
  }
  announce(
    {
      config,
      url: server.url ?? "",
      version: io.version(),
      routes: server.routes?.length,
      management: undefined,
      startupMs: performance.now(),
    },
    io,
  );
  return null;
}

function announce(startUp: StartUp, io: CommandIo): void {
  if (startUp.config.log.level === "silent") return;
  const { pretty } = startUp.config.log;
  const forPeople = pretty === "auto" ? io.stdout.isTTY === true : pretty;
  io.forPeople = forPeople;
  io.stdout.write(forPeople ? summaryText(startUp, io.cwd) : summaryLine(startUp));
}

async function drain(server: ServedServer, timeoutMs: number, signal: NodeJS.Signals, io: CommandIo): Promise<void> {
  say(io, "info", `${signal}: finishing what is running, for ${timeoutMs} ms at most.`);
  try {
    const report = (await server.close({ timeoutMs })) as { readonly terminated?: number } | undefined;
    const terminated = report?.terminated ?? 0;
    if (terminated > 0)
      say(io, "warn", `${terminated} request${terminated === 1 ? " was" : "s were"} cut off after ${timeoutMs} ms.`);
    io.exit(terminated > 0 ? 1 : 0);
  } catch (error) {
    say(io, "error", `Could not end in good order: ${String(error)}`);
    io.exit(1);
  }
}

async function reload(server: ServedServer, io: CommandIo): Promise<void> {
  say(io, "info", "SIGHUP: replacing all threads by ones with fresh code.");
  try {
    await server.reload();
    say(io, "info", "Reloaded: every thread runs the fresh code.");
  } catch (error) {
    say(
      io,
      "error",
      `The fresh code cannot be used, the old goes on: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

const levels = { info: 30, warn: 40, error: 50 } as const;

/** A line about the process itself, in the form that the log has. */
function say(io: CommandIo, level: keyof typeof levels, message: string): void {
  const line = JSON.stringify({
    level: levels[level],
    time: Date.now(),
    pid: process.pid,
    thread: "main",
    msg: message,
  });
  io.stdout.write(`${io.forPeople ? message : line}\n`);
}
