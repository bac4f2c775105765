import * as z from "zod";
import { proxyRanges } from "./proxy-ranges.ts";
import type { DuckConfig, DuckPlugin } from "./types.ts";

/**
 * The shape of a configuration. Each leaf's error message is not a sentence but the words that follow "expected", so
 * that every problem reads the same way.
 */

const logLevels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;

const object = "an object";

function whole(from: number, to: number, what = "a whole number"): z.ZodNumber {
  const error = to === Number.MAX_SAFE_INTEGER ? `${what}, ${from} or more` : `${what} from ${from} to ${to}`;
  return z.number({ error }).int({ error }).min(from, { error }).max(to, { error });
}

const sizeBytes = whole(1, Number.MAX_SAFE_INTEGER, "a whole number of bytes");

/** The longest delay that Node's timers take; a longer one would fire at once. */
const longestMs = 2_147_483_647;

function milliseconds(from: number): z.ZodNumber {
  return whole(from, longestMs, "a whole number of milliseconds");
}

function text(error: string): z.ZodString {
  return z.string({ error }).min(1, { error });
}

// Where one member of a union has the value's type, zod reports that member's error and not the union's: they agree.
const pemExpected = "PEM text, its bytes or a file";
const pem = z.union([text(pemExpected), z.instanceof(Uint8Array)], { error: pemExpected });

const moduleExpected = "a path or a file: URL";
const modulePath = z.union([text(moduleExpected), z.instanceof(URL)], { error: moduleExpected });

const pathExpected = 'a path that begins with "/", or false';
const managementPath = z.union([z.literal(false), z.string().regex(/^\/[^\s?#]*$/, { error: pathExpected })], {
  error: pathExpected,
});

const workersExpected = '"auto" or a whole number from 1 to 1024';
const workers = z.union(
  [
    z.literal("auto"),
    z.number().int({ error: workersExpected }).min(1, { error: workersExpected }).max(1024, { error: workersExpected }),
  ],
  { error: workersExpected },
);

const proxyExpected =
  "true, false, a number of hops, or addresses: IP addresses, ranges like 10.0.0.0/8, loopback, linklocal, uniquelocal";
const isProxies = (given: string | readonly string[]): boolean => proxyRanges(given) !== undefined;
const trustProxy = z.union(
  [
    z.boolean(),
    z.number().int({ error: proxyExpected }).min(0, { error: proxyExpected }),
    text(proxyExpected).refine(isProxies, { error: proxyExpected }),
    z.array(text("an address or a range"), { error: proxyExpected }).refine(isProxies, { error: proxyExpected }),
  ],
  { error: proxyExpected },
);

const port = whole(0, 65_535);

const hostExpected = 'a host name, an address, or a socket like "unix:/run/app.sock"';
const listenHost = text(hostExpected).refine((host) => !/^unix:(?!\/)|^\//.test(host), { error: hostExpected });

const plugin = z.strictObject(
  {
    name: text("a name"),
    server: z
      .custom<NonNullable<DuckPlugin["server"]>>((value) => typeof value === "function", {
        error: "a function (fastify, config) => void",
      })
      .optional(),
    worker: modulePath.optional(),
  },
  { error: "a plugin: { name, server?, worker? }" },
);

/** Checks what has been written. Filling in defaults is `resolveConfig`'s work. */
export const configSchema: z.ZodType<DuckConfig> = z.strictObject(
  {
    app: modulePath.optional(),
    server: z
      .strictObject(
        {
          host: listenHost.optional(),
          port: port.optional(),
          bodyLimitBytes: sizeBytes.optional(),
          headersTimeoutMs: milliseconds(0).optional(),
          requestTimeoutMs: milliseconds(0).optional(),
          stallTimeoutMs: milliseconds(0).optional(),
          keepAliveTimeoutMs: milliseconds(0).optional(),
          trustProxy: trustProxy.optional(),
          https: z
            .strictObject(
              {
                key: pem,
                cert: pem,
                ca: pem.optional(),
                passphrase: z.string({ error: "a string" }).optional(),
              },
              { error: "{ key, cert }" },
            )
            .optional(),
          http2: z.boolean({ error: "true or false" }).optional(),
          shutdownTimeoutMs: milliseconds(0).optional(),
        },
        { error: object },
      )
      .optional(),
    requestHandling: z
      .strictObject(
        {
          maxWorkers: workers.optional(),
          timeoutMs: milliseconds(1).optional(),
          maxQueue: whole(0, Number.MAX_SAFE_INTEGER).optional(),
          memoryLimitMb: whole(16, Number.MAX_SAFE_INTEGER, "a whole number of mebibytes").optional(),
        },
        { error: object },
      )
      .optional(),
    log: z
      .strictObject(
        {
          level: z.enum(logLevels, { error: `one of ${logLevels.map((level) => `"${level}"`).join(", ")}` }).optional(),
          pretty: z.union([z.boolean(), z.literal("auto")], { error: 'true, false or "auto"' }).optional(),
        },
        { error: object },
      )
      .optional(),
    management: z
      .strictObject(
        {
          health: managementPath.optional(),
          ready: managementPath.optional(),
          metrics: managementPath.optional(),
          expose: z
            .union([z.enum(["loopback", "all"]), z.strictObject({ host: text("a host name or an address"), port })], {
              error: '"loopback", "all" or { host, port }',
            })
            .optional(),
        },
        { error: object },
      )
      .optional(),
    plugins: z.array(plugin, { error: "a list of plugins" }).optional(),
  },
  { error: "a configuration object" },
);

/** The settings that exist at each level, for "did you mean". */
export const knownSettings: Readonly<Record<string, readonly string[]>> = {
  "": ["app", "server", "requestHandling", "log", "management", "plugins"],
  server: [
    "host",
    "port",
    "bodyLimitBytes",
    "headersTimeoutMs",
    "requestTimeoutMs",
    "stallTimeoutMs",
    "keepAliveTimeoutMs",
    "trustProxy",
    "https",
    "http2",
    "shutdownTimeoutMs",
  ],
  "server.https": ["key", "cert", "ca", "passphrase"],
  requestHandling: ["maxWorkers", "timeoutMs", "maxQueue", "memoryLimitMb"],
  log: ["level", "pretty"],
  management: ["health", "ready", "metrics", "expose"],
  "management.expose": ["host", "port"],
  "plugins[]": ["name", "server", "worker"],
};
