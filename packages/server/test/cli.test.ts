import { EventEmitter } from "node:events";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseCommandLine, UsageError } from "../src/cli/arguments.ts";
import type { CommandIo } from "../src/cli/io.ts";
import { run } from "../src/cli/run.ts";
import type { MakeServer, ServedServer } from "../src/cli/serve.ts";
import { handleSignals } from "../src/cli/signals.ts";
import type { DuckConfig, ResolvedConfig } from "../src/config/index.ts";
import { ServerStateError } from "../src/errors.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";

/** A process that is none. */
function fakeProcess(cwd: string, env: NodeJS.ProcessEnv = {}, isTTY = false) {
  const written = { stdout: "", stderr: "" };
  const signals = new EventEmitter();
  let ended: (code: number) => void;
  const exited = new Promise<number>((resolve) => {
    ended = resolve;
  });
  const io: CommandIo = {
    cwd,
    env,
    stdout: { isTTY, write: (text) => (written.stdout += text) },
    stderr: { write: (text) => (written.stderr += text) },
    signals: signals as unknown as CommandIo["signals"],
    exit: (code) => ended(code),
    version: () => "1.2.3",
    startDeadlineMs: 60_000,
    forPeople: isTTY,
    logLevel: "info",
  };
  return { io, written, signals, exited };
}

function fakeServer(overrides: Partial<ServedServer> = {}) {
  const calls: string[] = [];
  let made: { config: DuckConfig; resolved: ResolvedConfig } | undefined;
  const server: ServedServer = {
    listen: async () => {
      calls.push("listen");
      return "http://127.0.0.1:4321";
    },
    close: async () => {
      calls.push("close");
      return { forced: false };
    },
    stats: () => ({ routes: { length: 3 } }),
    reload: async () => void calls.push("reload"),
    ...overrides,
  };
  const make: MakeServer = async (config, { resolved }) => {
    made = { config, resolved };
    return server;
  };
  return { calls, load: async () => make, made: () => made };
}

const appFiles = { "src/app.ts": "export default { routes: [] }" };

describe("the command line", () => {
  it("is read", () => {
    expect(
      parseCommandLine(["serve", "--config", "a.ts", "-p", "80", "--host=::", "--workers", "3", "--log-level=debug"]),
    ).toEqual({
      name: "serve",
      config: "a.ts",
      host: "::",
      port: "80",
      workers: "3",
      logLevel: "debug",
    });
    expect(parseCommandLine(["routes", "--json"])).toEqual({ name: "routes", config: undefined, json: true });
    expect(parseCommandLine([])).toEqual({ name: "help", topic: null });
    expect(parseCommandLine(["serve", "--help"])).toEqual({ name: "help", topic: "serve" });
    expect(parseCommandLine(["help", "routes"])).toEqual({ name: "help", topic: "routes" });
    expect(parseCommandLine(["--version"])).toEqual({ name: "version" });
  });

  it.each([
    [["start"], /There is no command "start"/],
    [["--port", "80"], /There is no option "--port". There are: duck-ts serve/],
    [["serve", "--prot", "80"], /There is no option "--prot". duck-ts serve takes --config <value>, --host/],
    [["serve", "--port"], /--port needs a value/],
    [["serve", "--port", "--host", "x"], /--port needs a value/],
    [["serve", "--port="], /--port needs a value/],
    [["serve", "8000"], /"8000" is one word too many. duck-ts serve takes --config/],
    [["serve", "app.ts"], /The app's module is named in duck.config.ts: export default { app: "app.ts" }/],
    [["routes", "--json=yes"], /--json takes no value/],
  ])("is refused, saying what there is: %j", (argv, message) => {
    expect(() => parseCommandLine(argv)).toThrow(UsageError);
    expect(() => parseCommandLine(argv)).toThrow(message);
  });

  it("that is wrong ends with code 2 and one message on stderr", async () => {
    const { io, written } = fakeProcess(temporaryFolder());
    expect(await run(["serf"], io)).toBe(2);
    expect(written).toEqual({ stdout: "", stderr: expect.stringMatching(/^duck-ts: There is no command "serf"/) });
  });

  it("that asks for help or the version ends with code 0", async () => {
    const { io, written } = fakeProcess(temporaryFolder());
    expect(await run(["--version"], io)).toBe(0);
    expect(written.stdout).toBe("1.2.3\n");
    expect(await run(["serve", "--help"], io)).toBe(0);
    for (const text of ["--config", "--host", "--port", "--workers", "--log-level", "SIGHUP", "Exit codes"]) {
      expect(written.stdout).toContain(text);
    }
  });
});

describe("duck-ts serve", () => {
  it("hands config, folder, file, environment and flags to the server, and says where it listens", async () => {
    const root = temporaryFolder({
      ...appFiles,
      "duck.config.ts": "export default { requestHandling: { maxWorkers: 2 } }",
    });
    const { io, written } = fakeProcess(root, {}, true);
    const server = fakeServer();
    expect(await run(["serve", "--port", "4321"], io, server.load)).toBeNull();
    expect(server.calls).toEqual(["listen"]);
    expect(server.made()).toMatchObject({
      config: { requestHandling: { maxWorkers: 2 } },
      resolved: {
        root,
        file: join(root, "duck.config.ts"),
        server: { port: 4321 },
        requestHandling: { maxWorkers: 2 },
      },
    });
    expect(written.stdout).toMatch(/^duck-ts 1\.2\.3 listens on http:\/\/127\.0\.0\.1:4321 after \d+ ms\n/);
    expect(written.stdout).toContain("app        src/app.ts, 3 routes\n");
    expect(written.stdout).toContain("config     duck.config.ts\n");
    expect(written.stdout).toContain("threads    2 for requests\n");
    expect(written.stdout).toContain("management /healthz /readyz /metrics from this machine\n");
  });

  it("says it in one JSON line where the output is no terminal", async () => {
    const { io, written } = fakeProcess(temporaryFolder(appFiles));
    await run(["serve"], io, fakeServer().load);
    expect(JSON.parse(written.stdout)).toMatchObject({
      level: 30,
      msg: "duck-ts listens on http://127.0.0.1:4321",
      routes: 3,
      config: null,
    });
  });

  it("says nothing where the log is silent, and of its signals what the log's level lets through", async () => {
    const LISTENS = "listens";
    for (const [level, says] of [
      ["silent", []],
      ["error", [LISTENS, 50]],
      ["info", [LISTENS, 30, 50, 30]],
    ] as const) {
      const { io, written, signals, exited } = fakeProcess(temporaryFolder(appFiles));
      const reload = async (): Promise<void> => {
        throw new Error("broken");
      };
      await run(["serve", "--log-level", level], io, fakeServer({ reload }).load);
      signals.emit("SIGHUP", "SIGHUP");
      await new Promise((turn) => setImmediate(turn));
      signals.emit("SIGTERM", "SIGTERM");
      expect(await exited).toBe(0);
      const lines = written.stdout.split("\n").filter((line) => line !== "");
      const about = lines.map((line) => JSON.parse(line) as { level: number; url?: string });
      expect([level, about.map((line) => (line.url === undefined ? line.level : LISTENS))]).toEqual([level, says]);
    }
  });

  it("names the port that the management paths have got", async () => {
    const root = temporaryFolder({
      ...appFiles,
      "duck.config.ts": "export default { management: { expose: { host: '127.0.0.1', port: 0 } } }",
    });
    for (const forPeople of [true, false]) {
      const { io, written } = fakeProcess(root, {}, forPeople);
      await run(["serve"], io, fakeServer({ managementUrl: "http://127.0.0.1:9123" }).load);
      expect(written.stdout).toContain(
        forPeople ? "/metrics on http://127.0.0.1:9123\n" : '"managementUrl":"http://127.0.0.1:9123"',
      );
    }
  });

  it("reads .env files before the config file", async () => {
    const root = temporaryFolder({
      ...appFiles,
      ".env": "PORT=5555\nTHREADS=4",
      "duck.config.ts": "export default { app: './src/app.ts' }",
    });
    const { io } = fakeProcess(root);
    const server = fakeServer();
    expect(await run(["serve"], io, server.load)).toBeNull();
    expect(server.made()?.resolved.server.port).toBe(5555);
    expect(io.env).toMatchObject({ THREADS: "4" });
  });

  it.each<[string, Record<string, string>, string[], RegExp]>([
    [
      "an unknown setting",
      { ...appFiles, "duck.config.ts": "export default { sever: {} }" },
      [],
      /duck\.config\.ts cannot be used:\n {2}sever: found \{\}, expected .*"server"/,
    ],
    [
      "a wrong flag",
      appFiles,
      ["--port", "http"],
      /A setting in the command line cannot be used:\n {2}--port: found "http", expected a whole number/,
    ],
    ["no app", {}, [], /app: found nothing, expected the file of the app's module/],
    ["a config file that is not there", {}, ["--config", "no.ts"], /--config: found "no.ts", and no such file/],
    [
      "a config file that exports null",
      { ...appFiles, "duck.config.ts": "export default null" },
      [],
      /duck\.config\.ts cannot be used:\n {2}found null, expected a configuration object/,
    ],
    [
      "a config file that does not compile",
      { "duck.config.ts": "export default {" },
      [],
      /duck\.config\.ts cannot be used:\n {2}expected a module that compiles, found duck\.config\.ts:1:17: Expected identifier/,
    ],
  ])("ends with code 2 over %s", async (_name, files, argv, message) => {
    const { io, written } = fakeProcess(temporaryFolder(files));
    const server = fakeServer();
    expect(await run(["serve", ...argv], io, server.load)).toBe(2);
    expect(written.stderr).toMatch(message);
    expect(written.stderr).not.toMatch(/^ {4}at /m);
    expect(server.calls).toEqual([]);
  });

  it.each([
    [
      "a port that is taken",
      Object.assign(new Error("listen"), { code: "EADDRINUSE", address: "127.0.0.1", port: 80 }),
      /Cannot listen on 127\.0\.0\.1:80: something else does already/,
    ],
    [
      "a port that is not allowed",
      Object.assign(new Error("listen"), { code: "EACCES", syscall: "listen", address: "0.0.0.0", port: 80 }),
      /not permitted/,
    ],
    [
      "an address that the machine has not, at any free port",
      Object.assign(new Error("listen"), { code: "EADDRNOTAVAIL", syscall: "listen", address: "10.9.8.7" }),
      /Cannot listen on 10\.9\.8\.7: this machine has no such address/,
    ],
    [
      "a folder that is not allowed",
      Object.assign(new Error("mkdir"), { code: "EACCES", syscall: "mkdir", path: "/srv/x" }),
      /Could not start\.\nError: mkdir/,
    ],
    [
      "a worker that cannot start",
      new Error("A request thread could not start", { cause: new TypeError("x is not a function") }),
      /A request thread could not start\nTypeError: x is not a function\n {4}at /,
    ],
  ])("ends with code 1 over %s", async (_name, error, message) => {
    const { io, written, signals } = fakeProcess(temporaryFolder(appFiles));
    const server = fakeServer({ listen: () => Promise.reject(error) });
    expect(await run(["serve"], io, server.load)).toBe(1);
    expect(written.stderr).toMatch(message);
    expect(signals.eventNames()).toEqual([]);
  });

  it("ends with code 1 over a start that never ends", async () => {
    const { io, written } = fakeProcess(temporaryFolder(appFiles));
    const never: MakeServer = () => new Promise(() => {});
    expect(await run(["serve"], { ...io, startDeadlineMs: 20 }, async () => never)).toBe(1);
    expect(written.stderr).toBe(
      "duck-ts: Could not start. No request thread was ready after 0.02 s: the app's top level, or an onWorkerStart, has not finished.\n",
    );
  });

  it.each(["serve", "routes"])(
    "%s ends with code 1 over a config file that never ends, and says so",
    async (command) => {
      const never = { ...appFiles, "duck.config.ts": "await new Promise(() => {}); export default {}" };
      const { io, written } = fakeProcess(temporaryFolder(never));
      expect(await run([command], { ...io, startDeadlineMs: 500 }, fakeServer().load)).toBe(1);
      expect(written.stderr).toMatch(/duck\.config\.ts was not imported after 0.5 s: its top level has not finished\./);
    },
  );

  it.each(["SIGTERM", "SIGINT"] as const)("drains on %s and exits 0", async (signal) => {
    const { io, signals, exited } = fakeProcess(
      temporaryFolder({ ...appFiles, "duck.config.ts": "export default { server: { shutdownTimeoutMs: 77 } }" }),
    );
    const server = fakeServer();
    await run(["serve"], io, server.load);
    signals.emit(signal, signal);
    expect(await exited).toBe(0);
    expect(server.calls).toEqual(["listen", "close"]);
  });

  it("exits 1 when requests had to be cut off", async () => {
    const { io, signals, exited, written } = fakeProcess(temporaryFolder(appFiles));
    await run(["serve"], io, fakeServer({ close: async () => ({ forced: true }) }).load);
    signals.emit("SIGTERM", "SIGTERM");
    expect(await exited).toBe(1);
    expect(written.stdout).toContain("what was left has been cut off");
  });

  it.each([
    ["silent", ""],
    ["warn", expect.stringMatching(/^\{[^\n]*listens on[^\n]*\n\{[^\n]*what was left has been cut off[^\n]*\n$/)],
  ])("of its end says what log level %s lets through", async (level, said) => {
    const { io, signals, exited, written } = fakeProcess(temporaryFolder(appFiles));
    await run(["serve", "--log-level", level], io, fakeServer({ close: async () => ({ forced: true }) }).load);
    signals.emit("SIGTERM", "SIGTERM");
    expect(await exited).toBe(1);
    expect(written.stdout).toEqual(said);
  });

  it("reloads on SIGHUP, and goes on as before when the fresh code is broken", async () => {
    const { io, signals, written } = fakeProcess(temporaryFolder(appFiles));
    const reloads: ((error?: Error) => void)[] = [];
    const server = fakeServer({
      reload: () =>
        new Promise<void>((resolve, reject) =>
          reloads.push((error) => (error === undefined ? resolve() : reject(error))),
        ),
    });
    await run(["serve"], io, server.load);
    signals.emit("SIGHUP", "SIGHUP");
    signals.emit("SIGHUP", "SIGHUP");
    signals.emit("SIGHUP", "SIGHUP");
    reloads[0]?.();
    reloads[1]?.(new Error("src/app.ts:1:1: broken"));
    reloads[2]?.(new ServerStateError("The server was closed while it reloaded."));
    await new Promise((resolve) => setImmediate(resolve));
    expect(written.stdout).toContain("every thread runs the fresh code");
    expect(written.stdout).toContain("the old goes on: src/app.ts:1:1: broken");
    // Which is nothing wrong with the code.
    expect(written.stdout).toContain("The reload is given up: the server ends.");
  });

  it("exits 0 on a signal that comes before it listens", async () => {
    const { io, signals, exited } = fakeProcess(temporaryFolder(appFiles));
    const never = new Promise<never>(() => {});
    void run(["serve"], io, () => never);
    // The signal handlers are there once the command's own modules have been loaded.
    while (signals.listenerCount("SIGTERM") === 0) await new Promise((resolve) => setImmediate(resolve));
    signals.emit("SIGTERM", "SIGTERM");
    expect(await exited).toBe(0);
  });
});

describe("signals", () => {
  function handled() {
    const source = new EventEmitter();
    const seen: string[] = [];
    let time = 0;
    const stop = handleSignals(
      {
        drain: (signal) => seen.push(`drain ${signal}`),
        force: (signal) => seen.push(`force ${signal}`),
        reload: () => seen.push("reload"),
      },
      source as unknown as Parameters<typeof handleSignals>[1],
      () => time,
    );
    const send = (signal: string, at: number): void => {
      time = at;
      source.emit(signal, signal);
    };
    return { seen, send, source, stop };
  }

  it("drain first and force second, whichever they are", () => {
    const { seen, send } = handled();
    send("SIGINT", 0);
    send("SIGTERM", 1000);
    expect(seen).toEqual(["drain SIGINT", "force SIGTERM"]);
  });

  it("of one key press count once: npm passes on what the terminal sent already", () => {
    const { seen, send } = handled();
    send("SIGINT", 0);
    send("SIGINT", 10);
    expect(seen).toEqual(["drain SIGINT"]);
  });

  it("do not reload while draining", () => {
    const { seen, send } = handled();
    send("SIGHUP", 0);
    send("SIGTERM", 1);
    send("SIGHUP", 2);
    expect(seen).toEqual(["reload", "drain SIGTERM"]);
  });

  it("are left alone afterwards", () => {
    const { source, stop } = handled();
    stop();
    expect(source.eventNames()).toEqual([]);
  });
});

describe("duck-ts routes", () => {
  const app = `export default { routes: [
    { kind: "http", method: "GET", path: "/", options: {} },
    { kind: "http", method: "POST", path: "/users/:id", options: { timeoutMs: 2000, body: {}, params: {} } },
    { kind: "http", method: "*", path: "/any", options: { run: "main" } },
    { kind: "websocket", method: "GET", path: "/chat", options: {} },
  ], [Symbol.for("duck-ts.app")]: true }`;

  it("lists what the app declares", async () => {
    const { io, written } = fakeProcess(temporaryFolder({ "src/app.ts": app }));
    expect(await run(["routes"], io)).toBe(0);
    expect(written.stdout).toBe(
      [
        "GET   /",
        "POST  /users/:id  timeoutMs 2000; checks params, body",
        "ALL   /any        run main",
        "WS    /chat",
        "",
      ].join("\n"),
    );
  });

  it("lists as JSON for tools", async () => {
    const { io, written } = fakeProcess(temporaryFolder({ "src/app.ts": app }));
    expect(await run(["routes", "--json"], io)).toBe(0);
    expect(JSON.parse(written.stdout)).toHaveLength(4);
  });

  it("says of a fetch-style app that it routes by itself", async () => {
    const { io, written } = fakeProcess(temporaryFolder({ "src/app.ts": "export default { fetch() {} }" }));
    expect(await run(["routes"], io)).toBe(0);
    expect(written.stdout).toBe("ALL  /*  fetch-style app: it routes by itself\n");
  });

  it("ends with code 1 over an app whose import never ends, and says so", async () => {
    const app = "await new Promise(() => {}); export default { fetch() {} }";
    const { io, written } = fakeProcess(temporaryFolder({ "src/app.ts": app }));
    expect(await run(["routes"], { ...io, startDeadlineMs: 500 })).toBe(1);
    expect(written.stderr).toMatch(/The app was not imported after 0.5 s: its top level has not finished\./);
  });

  it.each([
    [
      "throws on import",
      "throw new Error('no database'); export default {}",
      /Importing .*src\/app\.ts throws\.\nError: no database\n/,
    ],
    ["is no app", "export default 5", /src\/app\.ts: The default export is 5; expected defineApp\(/],
    ["is a list of routes", "export default { routes: [] }", /The default export is an object; expected defineApp\(/],
    ["has no default export", "export const app = 5", /src\/app\.ts has no default export/],
  ])("ends with code 1 over an app that %s", async (_name, content, message) => {
    const { io, written } = fakeProcess(temporaryFolder({ "src/app.ts": content }));
    expect(await run(["routes"], io)).toBe(1);
    expect(written.stderr).toMatch(message);
  });
});
