import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { createSecureContext } from "node:tls";
import type { z } from "zod";
import { ConfigError, type ConfigProblem } from "./config-error.ts";
import { findAppModule, findModule, readPem } from "./files.ts";
import { describeValue, problemsOf } from "./problems.ts";
import { configSchema } from "./schema.ts";
import type { DuckConfig, LogLevel, ResolvedConfig, ResolvedHttps, ResolvedPlugin } from "./types.ts";

/** What the command line may say; it wins over the file and loses to the environment. */
interface ConfigFlags {
  readonly host?: string | undefined;
  readonly port?: string | number | undefined;
  readonly workers?: string | number | undefined;
  readonly logLevel?: LogLevel | (string & {}) | undefined;
}

export interface ResolveConfigOptions {
  /** The folder that relative paths are relative to. Default: the current one. */
  readonly root?: string | undefined;
  /** The config file that `config` came from, for messages; null where one was looked for and is not there. */
  readonly file?: string | null | undefined;
  /** Where `PORT`, `HOST` and `NODE_ENV` are looked up. Default: none are. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  readonly flags?: ConfigFlags | undefined;
}

/**
 * Checks a configuration, and fills in what it leaves open. `PORT` and `HOST`, flags, config, defaults: the first given
 * wins. Reads the files that it names (TLS), so it blocks shortly.
 * @throws ConfigError with every problem found.
 */
export function resolveConfig(config: DuckConfig, options: ResolveConfigOptions = {}): ResolvedConfig {
  const root = resolve(options.root ?? ".");
  const file = options.file ?? null;
  const env = options.env ?? {};
  const flags = options.flags ?? {};
  const source = file ?? (options.file === null ? "the configuration (there is no config file)" : "the config given");
  const problems: ConfigProblem[] = [];

  const parsed = configSchema.safeParse(config);
  if (!parsed.success) problems.push(...problemsOf(parsed.error, config, source));
  // What is wrong in the file must not hide what is wrong elsewhere, so the rest is checked on what is right.
  const given = parsed.success ? parsed.data : soundPart(parsed.error, config);

  // An override is checked like a setting, on its own, so that the message names where it stands.
  const override = <T>(
    place: readonly [string, string],
    value: T | undefined,
    at: (value: T) => DuckConfig,
  ): T | undefined => {
    if (value === undefined) return undefined;
    const checked = configSchema.safeParse(at(value));
    if (checked.success) return value;
    problems.push({
      source: place[0],
      path: place[1],
      found: describeValue(value),
      expected: checked.error.issues[0]?.message ?? "another value",
    });
    return undefined;
  };
  const environment = "the environment";
  const commandLine = "the command line";
  const port =
    override([environment, "PORT"], numeric(env.PORT), (value) => ({ server: { port: value } })) ??
    override([commandLine, "--port"], numeric(flags.port), (value) => ({ server: { port: value } }));
  const host =
    override([environment, "HOST"], env.HOST || undefined, (value) => ({ server: { host: value } })) ??
    override([commandLine, "--host"], flags.host, (value) => ({ server: { host: value } }));
  const workers = override(
    [commandLine, "--workers"],
    flags.workers === "auto" ? ("auto" as const) : numeric(flags.workers),
    (value) => ({
      requestHandling: { maxWorkers: value },
    }),
  );
  const level = override([commandLine, "--log-level"], flags.logLevel as LogLevel | undefined, (value) => ({
    log: { level: value },
  }));

  const report = (path: string, found: string, expected: string): void => {
    problems.push({ source, path, found, expected });
  };
  // Of an app that is no path, or a config that is none, it has been said.
  const said = problems.some(({ path }) => path === "app" || path === "");
  const app = said ? "" : findAppModule(root, given.app, report);
  const https = resolveHttps(root, given.server?.https, report);
  if (given.server?.http2 === true && given.server.https === undefined) {
    report("server.http2", "true", "server.https beside it: clients speak HTTP/2 over TLS only");
  }
  const plugins = resolvePlugins(root, given.plugins ?? [], report);
  const management = {
    health: given.management?.health ?? "/healthz",
    ready: given.management?.ready ?? "/readyz",
    metrics: given.management?.metrics ?? "/metrics",
    expose: given.management?.expose ?? ("loopback" as const),
  };
  reportSamePaths(management, report);
  if (problems.length > 0) throw new ConfigError(problems);

  const maxWorkers = workers ?? given.requestHandling?.maxWorkers ?? "auto";
  return {
    root,
    file,
    app,
    development: env.NODE_ENV === "development",
    server: {
      host: host ?? given.server?.host ?? "127.0.0.1",
      port: port ?? given.server?.port ?? 8000,
      bodyLimitBytes: given.server?.bodyLimitBytes ?? 1_048_576,
      headersTimeoutMs: given.server?.headersTimeoutMs ?? 15_000,
      requestTimeoutMs: given.server?.requestTimeoutMs ?? 30_000,
      stallTimeoutMs: given.server?.stallTimeoutMs ?? 30_000,
      keepAliveTimeoutMs: given.server?.keepAliveTimeoutMs ?? 72_000,
      trustProxy: given.server?.trustProxy ?? false,
      https,
      http2: given.server?.http2 ?? false,
      shutdownTimeoutMs: given.server?.shutdownTimeoutMs ?? 10_000,
    },
    requestHandling: {
      // One more than there are cores: while one thread blocks without computing, another keeps its core busy.
      maxWorkers: maxWorkers === "auto" ? availableParallelism() + 1 : maxWorkers,
      timeoutMs: given.requestHandling?.timeoutMs ?? 30_000,
      maxQueue: given.requestHandling?.maxQueue ?? 1000,
      memoryLimitMb: given.requestHandling?.memoryLimitMb ?? 512,
    },
    log: { level: level ?? given.log?.level ?? "info", pretty: given.log?.pretty ?? "auto" },
    management,
    plugins,
  };
}

/** The settings with which nothing is wrong, down to the first level. */
function soundPart(error: z.ZodError, config: DuckConfig): DuckConfig {
  const wrong = new Set(
    error.issues.flatMap((issue) =>
      issue.code === "unrecognized_keys" && issue.path.length === 0 ? issue.keys : issue.path[0],
    ),
  );
  if (wrong.has(undefined)) return {};
  return configSchema.parse(Object.fromEntries(Object.entries(config).filter(([name]) => !wrong.has(name))));
}

type Report = (path: string, found: string, expected: string) => void;

function resolveHttps(
  root: string,
  https: NonNullable<DuckConfig["server"]>["https"],
  report: Report,
): ResolvedHttps | undefined {
  if (https === undefined) return undefined;
  const read = (name: "key" | "cert" | "ca", value: string | Uint8Array): string | Uint8Array =>
    readPem(root, value, (found) => {
      unread = true;
      report(`server.https.${name}`, found, "PEM text, its bytes or a file that can be read");
    });
  let unread = false;
  const resolved = {
    key: read("key", https.key),
    cert: read("cert", https.cert),
    ...(https.ca === undefined ? {} : { ca: read("ca", https.ca) }),
    ...(https.passphrase === undefined ? {} : { passphrase: https.passphrase }),
  };
  if (!unread) checkTls(resolved, report);
  return resolved;
}

/** Else the first client would find out that key and certificate are none, or not each other's. */
function checkTls({ key, cert, ca, passphrase }: ResolvedHttps, report: Report): void {
  const pem = (value: string | Uint8Array): string | Buffer => (typeof value === "string" ? value : Buffer.from(value));
  try {
    createSecureContext({
      key: pem(key),
      cert: pem(cert),
      ...(ca === undefined ? {} : { ca: pem(ca) }),
      ...(passphrase === undefined ? {} : { passphrase }),
    });
  } catch (error) {
    const found = `what OpenSSL refuses (${(error as Error).message})`;
    report("server.https", found, "a PEM key and its certificate, and the passphrase where the key has one");
  }
}

function resolvePlugins(root: string, plugins: NonNullable<DuckConfig["plugins"]>, report: Report): ResolvedPlugin[] {
  const firstOfName = new Map<string, number>();
  return plugins.map((plugin, index) => {
    const earlier = firstOfName.get(plugin.name);
    if (earlier === undefined) firstOfName.set(plugin.name, index);
    else
      report(
        `plugins[${index}].name`,
        describeValue(plugin.name),
        `a name of its own (plugins[${earlier}] has this one)`,
      );
    const worker =
      plugin.worker === undefined
        ? undefined
        : findModule(root, plugin.worker, (found) =>
            report(`plugins[${index}].worker`, found, "a module that exports onWorkerStart or onWorkerStop"),
          );
    return { name: plugin.name, server: plugin.server, worker };
  });
}

function reportSamePaths(management: ResolvedConfig["management"], report: Report): void {
  const seen = new Map<string, string>();
  for (const name of ["health", "ready", "metrics"] as const) {
    const path = management[name];
    if (path === false) continue;
    const earlier = seen.get(path);
    if (earlier !== undefined)
      report(`management.${name}`, describeValue(path), `a path of its own (management.${earlier} has this one)`);
    seen.set(path, name);
  }
}

/** A number where the text is one, else the text itself, for the schema to refuse by name. */
function numeric(text: string | number | undefined): number | undefined {
  if (text === undefined || text === "") return undefined;
  if (typeof text === "number") return text;
  return /^-?\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : (text as unknown as number);
}
