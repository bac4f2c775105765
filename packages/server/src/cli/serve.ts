import { constants } from "node:os";
import { mapStacksInThreads } from "../app-loader/source-maps.ts";
import { type DuckConfig, type ResolvedConfig, resolveConfig } from "../config/index.ts";
import { levels } from "../logs/levels.ts";
import type { Command } from "./arguments.ts";
import { findConfiguration } from "./configuration.ts";
import { inTime } from "./in-time.ts";
import type { CommandIo } from "./io.ts";
import { handleSignals } from "./signals.ts";
import { type StartUp, summaryLine, summaryText } from "./summary.ts";

/** Of a server, what the command uses. */
export interface ServedServer {
  listen(): Promise<string>;
  readonly managementUrl?: string | undefined;
  /** Resolves when all is over; `forced` where requests had to be cut off. */
  close(): Promise<{ readonly forced: boolean }>;
  /** Replaces all threads by ones with fresh code. Rejects, and goes on as before, where the fresh code cannot start. */
  reload(): Promise<void>;
  stats(): { readonly routes: { readonly length: number } };
}

/** Makes the server; the command's tests put another one here. */
export type MakeServer = (config: DuckConfig, options: { readonly resolved: ResolvedConfig }) => Promise<ServedServer>;

/**
 * `duck-ts serve`. Resolves with null once the server listens, and the process then lives on through it; rejects where
 * it cannot be started.
 */
export async function serve(
  command: Extract<Command, { name: "serve" }>,
  io: CommandIo,
  loadServer: () => Promise<MakeServer>,
): Promise<null> {
  mapStacksInThreads();
  process.setSourceMapsEnabled(true);
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
    const found = await findConfiguration({ ...io, file: command.config });
    const resolved = resolveConfig(found.config, {
      root: found.root,
      file: found.file,
      env: io.env,
      flags: { host: command.host, port: command.port, workers: command.workers, logLevel: command.logLevel },
    });
    config = resolved;
    io.logLevel = resolved.log.level;
    const makeServer = await loading;
    const made = await inTime(
      makeServer(found.config, { resolved }),
      io.startDeadlineMs,
      (waited) =>
        `No request thread was ready after ${waited}: the app's top level, or an onWorkerStart, has not finished.`,
    );
    server = made;
    const url = await made.listen();
    const routes = made.stats().routes.length;
    const { managementUrl } = made;
    announce({ config: resolved, url, managementUrl, version: io.version(), routes, startupMs: performance.now() }, io);
    return null;
  } catch (error) {
    stop();
    // Threads and half a server may be left: they end with the process, which the entry sees to.
    throw error;
  }
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
    const begun = performance.now();
    const closed = await server.close();
    // Main's own: a plugin has made them, or the config file.
    const { stopOwnManagers } = await import("@duck-ts/managers/internal");
    const left = Math.max(0, Math.round(timeoutMs - (performance.now() - begun)));
    const given = await stopOwnManagers({ timeoutMs: left });
    const forced = closed.forced || given > 0;
    if (forced) say(io, "warn", `Not all was finished after ${timeoutMs} ms: what was left has been cut off.`);
    io.exit(forced ? 1 : 0);
  } catch (error) {
    say(io, "error", `Could not end in good order: ${String(error)}`);
    io.exit(1);
  }
}

/** Of a ServerStateError, whose class would bring more with it than a start should wait for. */
const CLOSED = "DUCK_SERVER_STATE";

async function reload(server: ServedServer, io: CommandIo): Promise<void> {
  say(io, "info", "SIGHUP: replacing all threads by ones with fresh code.");
  try {
    await server.reload();
    say(io, "info", "Reloaded: every thread runs the fresh code.");
  } catch (error) {
    if ((error as { code?: unknown }).code === CLOSED) {
      say(io, "info", "The reload is given up: the server ends.");
      return;
    }
    say(
      io,
      "error",
      `The fresh code cannot be used, the old goes on: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

/** A line about the process itself, in the form that the log has. */
function say(io: CommandIo, level: "info" | "warn" | "error", message: string): void {
  if (levels[level] < levels[io.logLevel]) return;
  const line = JSON.stringify({
    level: levels[level],
    time: Date.now(),
    pid: process.pid,
    thread: "main",
    msg: message,
  });
  io.stdout.write(`${io.forPeople ? message : line}\n`);
}
