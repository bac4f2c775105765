import { availableParallelism } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { ConfigError, type DuckConfig, resolveConfig } from "../src/config/index.ts";
import type { ResolveConfigOptions } from "../src/config/resolve.ts";
import { certificate, lockedKey, otherKey } from "./support/http2.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";

function folderWithApp(files: Record<string, string> = {}): string {
  return temporaryFolder({ "src/app.ts": "export default {}", ...files });
}

function problemsOf(config: unknown, options: ResolveConfigOptions): ConfigError {
  try {
    resolveConfig(config as DuckConfig, options);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error("expected a ConfigError");
}

describe("a configuration that says nothing", () => {
  it("has every default of the manual", () => {
    const root = folderWithApp();
    expect(resolveConfig({}, { root })).toEqual({
      root,
      file: null,
      app: join(root, "src/app.ts"),
      development: false,
      server: {
        host: "127.0.0.1",
        port: 8000,
        bodyLimitBytes: 1048576,
        headersTimeoutMs: 15000,
        requestTimeoutMs: 30000,
        stallTimeoutMs: 30000,
        keepAliveTimeoutMs: 72000,
        trustProxy: false,
        https: undefined,
        http2: false,
        shutdownTimeoutMs: 10000,
      },
      requestHandling: { maxWorkers: availableParallelism() + 1, timeoutMs: 30000, maxQueue: 1000, memoryLimitMb: 512 },
      log: { level: "info", pretty: "auto" },
      management: { health: "/healthz", ready: "/readyz", metrics: "/metrics", expose: "loopback" },
      plugins: [],
    });
  });

  it("of a folder without a config file is called so", () => {
    const { problems } = problemsOf({}, { root: temporaryFolder(), file: null });
    expect(problems).toMatchObject([{ source: "the configuration (there is no config file)", path: "app" }]);
  });

  it("is an error that says where it looked when there is no app", () => {
    const root = temporaryFolder();
    const { problems } = problemsOf({}, { root });
    expect(problems).toEqual([
      {
        source: "the config given",
        path: "app",
        found: "nothing",
        expected: expect.stringContaining(`no src/app.ts or app.ts in ${root}`),
      },
    ]);
  });
});

describe("what is given", () => {
  it("wins over the defaults, and only where it is given", () => {
    const root = folderWithApp();
    const resolved = resolveConfig(
      { server: { port: 0 }, requestHandling: { maxWorkers: 3 }, management: { metrics: false } },
      { root },
    );
    expect(resolved.server).toMatchObject({ port: 0, host: "127.0.0.1" });
    expect(resolved.requestHandling).toMatchObject({ maxWorkers: 3, maxQueue: 1000 });
    expect(resolved.management).toMatchObject({ metrics: false, health: "/healthz" });
  });

  it("is taken in the order PORT and HOST, flags, file, defaults", () => {
    const root = folderWithApp();
    const config = { server: { port: 3, host: "file" } };
    const flags = { port: "2", host: "flag" };
    const env = { PORT: "1", HOST: "env" };
    const portOf = (options: ResolveConfigOptions, given: DuckConfig = config) => {
      const { port, host } = resolveConfig(given, { root, ...options }).server;
      return [port, host];
    };
    expect(portOf({ env, flags })).toEqual([1, "env"]);
    expect(portOf({ flags })).toEqual([2, "flag"]);
    expect(portOf({})).toEqual([3, "file"]);
    expect(portOf({}, {})).toEqual([8000, "127.0.0.1"]);
    expect(portOf({ env: { PORT: "", HOST: "" }, flags })).toEqual([2, "flag"]);
  });

  it("takes --workers and --log-level from the flags", () => {
    const root = folderWithApp();
    const resolved = resolveConfig(
      { requestHandling: { maxWorkers: 2 } },
      { root, flags: { workers: "5", logLevel: "debug" } },
    );
    expect(resolved.requestHandling.maxWorkers).toBe(5);
    expect(resolved.log.level).toBe("debug");
    const auto = resolveConfig({ requestHandling: { maxWorkers: 2 } }, { root, flags: { workers: "auto" } });
    expect(auto.requestHandling.maxWorkers).toBe(availableParallelism() + 1);
  });

  it("finds app and plugin workers relative to the root, as paths and as URLs", () => {
    const root = folderWithApp({
      "plugins/a.ts": "",
      "plugins/b.ts": "",
      "node_modules/p/package.json": `{"main":"./w.js"}`,
      "node_modules/p/w.js": "",
    });
    const resolved = resolveConfig(
      {
        app: pathToFileURL(join(root, "src/app.ts")),
        plugins: [
          { name: "a", worker: "./plugins/a.ts" },
          { name: "b", worker: pathToFileURL(join(root, "plugins/b.ts")) },
          { name: "p", worker: "p" },
        ],
      },
      { root },
    );
    expect(resolved.app).toBe(join(root, "src/app.ts"));
    expect(resolved.plugins.map((plugin) => plugin.worker)).toEqual([
      join(root, "plugins/a.ts"),
      join(root, "plugins/b.ts"),
      join(root, "node_modules/p/w.js"),
    ]);
  });

  it("reads TLS files, and takes PEM text as it is", () => {
    const root = folderWithApp({ "tls/key.pem": certificate.key });
    const { cert } = certificate;
    const { https, http2 } = resolveConfig({ server: { https: { key: "tls/key.pem", cert } } }, { root }).server;
    expect(String(https?.key)).toBe(certificate.key);
    expect(https?.cert).toBe(cert);
    expect(http2).toBe(false);
    const locked = { key: lockedKey, cert, passphrase: "quack" };
    expect(resolveConfig({ server: { https: locked, http2: true } }, { root }).server.http2).toBe(true);
  });

  it("shows details of errors only where NODE_ENV is development", () => {
    const root = folderWithApp();
    expect(resolveConfig({}, { root, env: { NODE_ENV: "development" } }).development).toBe(true);
    expect(resolveConfig({}, { root, env: {} }).development).toBe(false);
  });
});

describe("a setting that cannot be used", () => {
  const cases: [string, unknown, { path: string; found: string; expected: string | RegExp }][] = [
    [
      "a port out of range",
      { server: { port: 70000 } },
      { path: "server.port", found: "70000", expected: "a whole number from 0 to 65535" },
    ],
    [
      "a port in words",
      { server: { port: "eighty" } },
      { path: "server.port", found: '"eighty"', expected: "a whole number from 0 to 65535" },
    ],
    [
      "an object in place of a number",
      { server: { port: { a: 1 } } },
      { path: "server.port", found: "{ a: 1 }", expected: "a whole number from 0 to 65535" },
    ],
    ["a list in place of an object", { server: [] }, { path: "server", found: "[]", expected: "an object" }],
    [
      "a misspelt setting",
      { server: { prot: 80 } },
      { path: "server.prot", found: "80", expected: /did you mean "port"/ },
    ],
    [
      "a setting in the wrong place",
      { timeoutMs: 5 },
      { path: "timeoutMs", found: "5", expected: /there is "requestHandling.timeoutMs"/ },
    ],
    ["a setting of no kind", { colour: "red" }, { path: "colour", found: '"red"', expected: /there are app, server/ }],
    [
      "no workers",
      { requestHandling: { maxWorkers: 0 } },
      { path: "requestHandling.maxWorkers", found: "0", expected: '"auto" or a whole number from 1 to 1024' },
    ],
    [
      "half a millisecond",
      { requestHandling: { timeoutMs: 0.5 } },
      { path: "requestHandling.timeoutMs", found: "0.5", expected: /whole number of milliseconds/ },
    ],
    [
      "a level that is none",
      { log: { level: "loud" } },
      { path: "log.level", found: '"loud"', expected: /one of "trace", "debug"/ },
    ],
    [
      "a path without its slash",
      { management: { health: "healthz" } },
      { path: "management.health", found: '"healthz"', expected: 'a path that begins with "/", or false' },
    ],
    [
      "one path for two things",
      { management: { health: "/x", ready: "/x" } },
      { path: "management.ready", found: '"/x"', expected: /management.health has this one/ },
    ],
    [
      "exposure to nobody",
      { management: { expose: "none" } },
      { path: "management.expose", found: '"none"', expected: '"loopback", "all" or { host, port }' },
    ],
    [
      "a plugin without a name",
      { plugins: [{ name: "a" }, {}] },
      { path: "plugins[1].name", found: "nothing", expected: "a name" },
    ],
    [
      "a plugin's misspelt part",
      { plugins: [{ name: "a", workers: "./a.ts" }] },
      { path: "plugins[0].workers", found: '"./a.ts"', expected: /did you mean "worker"/ },
    ],
    [
      "two plugins of one name",
      { plugins: [{ name: "a" }, { name: "a" }] },
      { path: "plugins[1].name", found: '"a"', expected: /plugins\[0\] has this one/ },
    ],
    [
      "a plugin's server that is no function",
      { plugins: [{ name: "a", server: 1 }] },
      { path: "plugins[0].server", found: "1", expected: /a function/ },
    ],
    [
      "a plugin's worker that is not there",
      { plugins: [{ name: "a", worker: "./no.ts" }] },
      { path: "plugins[0].worker", found: expect.stringContaining("no such file") as never, expected: /onWorkerStart/ },
    ],
    [
      "an app that is not there",
      { app: "./no.ts" },
      {
        path: "app",
        found: expect.stringContaining('"./no.ts", and no such file: /') as never,
        expected: /app's module/,
      },
    ],
    [
      "an app that is a folder",
      { app: "./src" },
      { path: "app", found: expect.stringContaining("is no file") as never, expected: /app's module/ },
    ],
    [
      "a key file that is not there",
      { server: { https: { key: "k.pem", cert: "-----BEGIN" } } },
      { path: "server.https.key", found: expect.stringContaining("ENOENT") as never, expected: /PEM/ },
    ],
    [
      "a certificate that is none",
      { server: { https: { key: certificate.key, cert: "-----BEGIN CERTIFICATE-----" } } },
      { path: "server.https", found: expect.stringContaining("OpenSSL refuses") as never, expected: /PEM key/ },
    ],
    [
      "a key that is another certificate's",
      { server: { https: { key: otherKey, cert: certificate.cert } } },
      { path: "server.https", found: expect.stringContaining("mismatch") as never, expected: /PEM key/ },
    ],
    [
      "a locked key without its passphrase",
      { server: { https: { key: lockedKey, cert: certificate.cert } } },
      { path: "server.https", found: expect.stringContaining("OpenSSL refuses") as never, expected: /passphrase/ },
    ],
    [
      "HTTP/2 without TLS",
      { server: { http2: true } },
      { path: "server.http2", found: "true", expected: /server\.https beside it/ },
    ],
    [
      "HTTP/2 in words",
      { server: { http2: "yes" } },
      { path: "server.http2", found: '"yes"', expected: "true or false" },
    ],
    [
      "a proxy that is no address",
      { server: { trustProxy: "nginx" } },
      { path: "server.trustProxy", found: '"nginx"', expected: /addresses: IP addresses, ranges like/ },
    ],
    [
      "a proxy range that is none",
      { server: { trustProxy: ["loopback", "10.0.0.0/40"] } },
      { path: "server.trustProxy", found: expect.stringContaining("10.0.0.0/40") as never, expected: /ranges like/ },
    ],
    [
      "a unix socket without its path",
      { server: { host: "unix:app.sock" } },
      { path: "server.host", found: '"unix:app.sock"', expected: /a socket like "unix:\/run/ },
    ],
    [
      "a path for a host",
      { server: { host: "/run/app.sock" } },
      { path: "server.host", found: '"/run/app.sock"', expected: /a socket like "unix:\/run/ },
    ],
    ["no object at all", 5, { path: "", found: "5", expected: "a configuration object" }],
    ["no value", undefined, { path: "", found: "nothing", expected: "a configuration object" }],
  ];
  it.each(cases)("names file, path, found and expected: %s", (_name, config, { path, found, expected }) => {
    const root = folderWithApp();
    const error = problemsOf(config, { root, file: "/x/duck.config.ts" });
    expect(error.problems).toEqual([
      {
        source: "/x/duck.config.ts",
        path,
        found,
        expected: typeof expected === "string" ? expected : expect.stringMatching(expected),
      },
    ]);
    expect(error.message).toContain("/x/duck.config.ts");
    expect(error.code).toBe("DUCK_CONFIG");
  });

  it("is listed with all the others", () => {
    const error = problemsOf(
      { server: { port: -1, prot: 2 }, plugins: [{}] },
      { root: temporaryFolder(), file: "/x/duck.config.ts", env: { PORT: "http" }, flags: { workers: "many" } },
    );
    expect(error.problems.map(({ source, path }) => `${source} ${path}`)).toEqual([
      "/x/duck.config.ts server.port",
      "/x/duck.config.ts server.prot",
      "/x/duck.config.ts plugins[0].name",
      "the environment PORT",
      "the command line --workers",
      "/x/duck.config.ts app",
    ]);
    expect(error.message).toMatch(
      /^4 settings in \/x\/duck.config.ts cannot be used:\n {2}server.port: found -1, expected a whole number/,
    );
    expect(error.message).toContain('A setting in the environment cannot be used:\n  PORT: found "http"');
  });

  it("is all that is said: an app that is named beside it is not missing", () => {
    const root = temporaryFolder({ "src/main.ts": "export default {}" });
    const app = "./src/main.ts";
    const pathsOf = (config: unknown): string[] => problemsOf(config, { root }).problems.map(({ path }) => path);
    expect(pathsOf({ app, server: { prot: 1 } })).toEqual(["server.prot"]);
    expect(pathsOf({ app, plugins: [{ name: "a", serve: 1 }] })).toEqual(["plugins[0].serve"]);
    expect(pathsOf({ app, colour: "red", server: { http2: true } })).toEqual(["colour", "server.http2"]);
    expect(pathsOf({ app: 5 })).toEqual(["app"]);
    expect(pathsOf(5)).toEqual([""]);
  });

  it("is told its place, whichever setting it is that stands at the top", () => {
    const { server, requestHandling, log, management } = resolveConfig({}, { root: folderWithApp() });
    for (const [section, settings] of Object.entries({ server, requestHandling, log, management })) {
      for (const name of Object.keys(settings)) {
        const [problem] = problemsOf({ [name]: 5 }, { root: folderWithApp() }).problems;
        expect(problem?.expected).toBe(`no setting of this name here (there is "${section}.${name}")`);
      }
    }
  });

  it("never shows a key", () => {
    const error = problemsOf({ server: { https: { key: 5, cert: 6, passphrase: 123456 } } }, { root: folderWithApp() });
    expect(error.message).not.toContain("123456");
  });
});
