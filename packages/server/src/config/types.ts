import type { FastifyInstance } from "fastify";

/** TLS for the listening server. A string that does not begin with `-----BEGIN` is a file, relative to the config file. */
export interface HttpsSettings {
  /** The private key: PEM text, its bytes, or a file. */
  key: string | Uint8Array;
  /** The certificate chain: PEM text, its bytes, or a file. */
  cert: string | Uint8Array;
  /** Authorities to trust for client certificates: PEM text, bytes, or a file. */
  ca?: string | Uint8Array | undefined;
  /** What the key is encrypted with. */
  passphrase?: string | undefined;
}

/** Where the server listens, and what it takes from clients. */
export interface ServerSettings {
  /** The address to listen on, or a unix socket: `unix:/run/app.sock`. Default `127.0.0.1`. */
  host?: string | undefined;
  /** The port to listen on, 0 for any free one. Default 8000. */
  port?: number | undefined;
  /** The largest request body taken, in bytes. Default 1048576. */
  bodyLimitBytes?: number | undefined;
  /** How long a client may take to send a request's headers; never longer than `requestTimeoutMs`. Default 15000. */
  headersTimeoutMs?: number | undefined;
  /** How long a client may take to send its whole request. Default 30000. */
  requestTimeoutMs?: number | undefined;
  /** How long a client may take not one byte of an answer that waits for it, then it is cut; 0 for ever. Default 30000. */
  stallTimeoutMs?: number | undefined;
  /** How long an idle connection is kept. Default 72000. */
  keepAliveTimeoutMs?: number | undefined;
  /** Whose `X-Forwarded-*` headers are believed: all, none, a number of hops, or addresses and ranges. Default false. */
  trustProxy?: boolean | number | string | readonly string[] | undefined;
  /** TLS. Default none. */
  https?: HttpsSettings | undefined;
  /** HTTP/2 for clients that can, beside HTTP/1.1; needs `https`. Default false. */
  http2?: boolean | undefined;
  /** How long running requests may take to finish at shutdown. Default 10000. */
  shutdownTimeoutMs?: number | undefined;
}

/** The pool of threads that run handlers. */
export interface RequestHandlingSettings {
  /** How many threads; `"auto"` is one more than there are cores. Default `"auto"`. */
  maxWorkers?: number | "auto" | undefined;
  /** How long a handler may take before its client gets 504. A route's own `timeoutMs` wins. Default 30000. */
  timeoutMs?: number | undefined;
  /** How many requests may wait for a thread before clients get 503. Default 1000. */
  maxQueue?: number | undefined;
  /** The memory at which a thread finishes its requests and is replaced, in mebibytes. Default 512. */
  memoryLimitMb?: number | undefined;
}

/** From chattiest to silent, pino's names. */
export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";

/** What is logged, and how it looks. */
export interface LogSettings {
  /** The least level that is written. Default `"info"`. */
  level?: LogLevel | undefined;
  /** Lines for people instead of JSON; `"auto"` does so on a terminal. Default `"auto"`. */
  pretty?: boolean | "auto" | undefined;
}

/** The paths that main itself answers, whatever the app's threads do. */
export interface ManagementSettings {
  /** Is the process alive? Default `/healthz`. */
  health?: string | false | undefined;
  /** Can it take traffic? Default `/readyz`. */
  ready?: string | false | undefined;
  /** Prometheus metrics. Default `/metrics`. */
  metrics?: string | false | undefined;
  /** Who may ask: loopback clients that came through no proxy, everybody, or whoever reaches a port of its own. */
  expose?: "loopback" | "all" | { host: string; port: number } | undefined;
}

/** Adds to the server on main, to every request thread, or to both. Made by `definePlugin`. */
export interface DuckPlugin {
  /** Names it in messages and logs; unique within a config. */
  readonly name: string;
  /** Runs on main while the server is made: registers Fastify plugins, hooks, decorators. Never user requests' code. */
  readonly server?: ((fastify: FastifyInstance, config: ResolvedConfig) => void | Promise<void>) | undefined;
  /** A module with `onWorkerStart` and `onWorkerStop`, imported in every request thread. TypeScript is fine. */
  readonly worker?: string | URL | undefined;
}

/** What a plugin's `worker` module may export. */
export interface PluginWorkerModule {
  /** Runs when a request thread starts, before its first request; an error here means that the thread cannot start. */
  onWorkerStart?: () => void | Promise<void>;
  /** Runs when a request thread ends in good order. */
  onWorkerStop?: () => void | Promise<void>;
}

/** The content of `duck.config.ts`. Everything has a default. */
export interface DuckConfig {
  /** The app's module, relative to the config file. Default: the first of `src/app` and `app` with a known ending. */
  app?: string | URL | undefined;
  server?: ServerSettings | undefined;
  requestHandling?: RequestHandlingSettings | undefined;
  log?: LogSettings | undefined;
  management?: ManagementSettings | undefined;
  plugins?: readonly DuckPlugin[] | undefined;
}

/** TLS material, read from its files. */
export interface ResolvedHttps {
  readonly key: string | Uint8Array;
  readonly cert: string | Uint8Array;
  readonly ca?: string | Uint8Array;
  readonly passphrase?: string;
}

/** A plugin whose worker module has been found. */
export interface ResolvedPlugin {
  readonly name: string;
  readonly server: DuckPlugin["server"];
  /** The absolute path of the worker module's source. `prepareApp` turns it into an importable URL. */
  readonly worker: string | undefined;
}

/** A configuration with every default filled in, every path absolute, `"auto"` decided where this thread can decide it. */
export interface ResolvedConfig {
  /** The folder that relative paths are relative to: the config file's, or the one given. */
  readonly root: string;
  /** The config file, or null where there is none. */
  readonly file: string | null;
  /** The absolute path of the app's module. */
  readonly app: string;
  /** True where `NODE_ENV` is `development`: error replies then show details of 5xx. */
  readonly development: boolean;
  readonly server: {
    readonly host: string;
    readonly port: number;
    readonly bodyLimitBytes: number;
    readonly headersTimeoutMs: number;
    readonly requestTimeoutMs: number;
    readonly stallTimeoutMs: number;
    readonly keepAliveTimeoutMs: number;
    readonly trustProxy: boolean | number | string | readonly string[];
    readonly https: ResolvedHttps | undefined;
    readonly http2: boolean;
    readonly shutdownTimeoutMs: number;
  };
  readonly requestHandling: {
    readonly maxWorkers: number;
    readonly timeoutMs: number;
    readonly maxQueue: number;
    readonly memoryLimitMb: number;
  };
  readonly log: { readonly level: LogLevel; readonly pretty: boolean | "auto" };
  readonly management: {
    readonly health: string | false;
    readonly ready: string | false;
    readonly metrics: string | false;
    readonly expose: "loopback" | "all" | { readonly host: string; readonly port: number };
  };
  readonly plugins: readonly ResolvedPlugin[];
}
