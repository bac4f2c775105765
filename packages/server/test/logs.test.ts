import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { MessageChannel, Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { errorFields } from "../src/logs/fields.ts";
import {
  createLogger,
  createWorkerLogger,
  forwardConsole,
  type LogWireMessage,
  receiveLogMessage,
} from "../src/logs/index.ts";

class Output {
  text = "";
  readonly isTTY: boolean;
  constructor(isTTY = false) {
    this.isTTY = isTTY;
  }
  write(text: string): void {
    this.text += text;
  }
  lines(): Record<string, unknown>[] {
    return this.text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }
}

function workerLogger(level: "trace" | "info" | "silent" = "info") {
  const messages: LogWireMessage[] = [];
  const log = createWorkerLogger({
    level,
    post: (message) => messages.push(message),
    bindings: { thread: "request-1" },
  });
  const lines = () =>
    messages.map((message) => JSON.parse(message.kind === "log" ? message.lines : "null") as Record<string, unknown>);
  return { log, lines };
}

describe("main's logger", () => {
  it("writes JSON lines where the output is no terminal", async () => {
    const output = new Output();
    const logger = await createLogger({ level: "info", pretty: "auto" }, output);
    logger.info({ a: 1 }, "hello");
    expect(output.lines()).toEqual([
      { level: 30, time: expect.any(Number), pid: process.pid, thread: "main", a: 1, msg: "hello" },
    ]);
  });

  it("names main as the thread, unless the line is about another one", async () => {
    const output = new Output();
    const logger = await createLogger({ level: "info", pretty: false }, output);
    logger.child({ a: 1 }).info("own");
    logger.info({ thread: "request-1" }, "about a request");
    expect(output.lines().map(({ thread }) => thread)).toEqual(["main", "request-1"]);
    expect(output.text.match(/"thread"/g)).toHaveLength(2);
  });

  it("writes for people on a terminal", async () => {
    const output = new Output(true);
    const logger = await createLogger({ level: "info", pretty: "auto" }, output);
    logger.warn({ a: 1 }, "hello");
    expect(output.text).toMatch(/\d\d:\d\d:\d\d\.\d+.*WARN.*hello/);
    expect(output.text).not.toContain('{"level"');
  });

  it("writes as it is told, terminal or not", async () => {
    const [asked, refused] = [new Output(), new Output(true)];
    (await createLogger({ level: "info", pretty: true }, asked)).info("hello");
    (await createLogger({ level: "info", pretty: false }, refused)).info("hello");
    expect(asked.text).toMatch(/INFO.*hello/);
    expect(refused.lines()).toHaveLength(1);
  });

  it("leaves out what is below its level", async () => {
    const output = new Output();
    const logger = await createLogger({ level: "warn", pretty: false }, output);
    logger.info("no");
    logger.warn("yes");
    expect(output.lines().map((line) => line.msg)).toEqual(["yes"]);
  });
});

describe("a worker's logger", () => {
  it("takes a message, fields and a message, or an error", () => {
    const { log, lines } = workerLogger();
    log.info("hello %s", "you");
    log.warn({ a: 1 }, "fields");
    log.error(new TypeError("broken"));
    log.error({ err: new Error("inner"), b: 2n }, "outer");
    log.info({ only: "fields" });
    expect(lines()).toEqual([
      { level: 30, time: expect.any(Number), pid: process.pid, thread: "request-1", msg: "hello you" },
      { level: 40, time: expect.any(Number), pid: process.pid, thread: "request-1", a: 1, msg: "fields" },
      expect.objectContaining({
        level: 50,
        msg: "broken",
        err: expect.objectContaining({ type: "TypeError", message: "broken", stack: expect.any(String) }),
      }),
      expect.objectContaining({ msg: "outer", b: "2", err: expect.objectContaining({ message: "inner" }) }),
      { level: 30, time: expect.any(Number), pid: process.pid, thread: "request-1", only: "fields" },
    ]);
  });

  it("gives its bindings to its children", () => {
    const { log, lines } = workerLogger();
    log.child({ reqId: "r1" }).child({ user: 7 }).info("hello");
    expect(lines()).toEqual([expect.objectContaining({ thread: "request-1", reqId: "r1", user: 7, msg: "hello" })]);
  });

  it("sends nothing below its level", () => {
    const { log, lines } = workerLogger();
    log.debug("no");
    expect(log.isLevelEnabled("debug")).toBe(false);
    expect(log.isLevelEnabled("error")).toBe(true);
    workerLogger("silent").log.fatal("no");
    expect(lines()).toEqual([]);
  });

  it("never throws over what cannot be JSON", () => {
    const { log, lines } = workerLogger();
    const round: Record<string, unknown> = {};
    round.self = round;
    log.info({ round, fn: () => 1, ok: true }, "hello");
    expect(lines()).toEqual([
      expect.objectContaining({ ok: true, msg: "hello", round: expect.stringContaining("Circular") }),
    ]);
  });

  it("never lets a message break its line", () => {
    const messages: LogWireMessage[] = [];
    createWorkerLogger({ level: "info", post: (message) => messages.push(message) }).info('a\n{"level":60}');
    expect(messages[0]?.kind === "log" && messages[0].lines.split("\n")).toHaveLength(2);
  });

  it("shows causes and the errors of an AggregateError", () => {
    const error = new AggregateError([new Error("one")], "all", { cause: new Error("root", { cause: "text" }) });
    expect(errorFields(error)).toMatchObject({
      type: "AggregateError",
      cause: { message: "root", cause: "text" },
      errors: [{ message: "one" }],
    });
  });
});

describe("the wire", () => {
  it("writes a worker's lines to where main writes, in one order", async () => {
    const output = new Output();
    const logger = await createLogger({ level: "info", pretty: false }, output);
    const log = createWorkerLogger({
      level: "info",
      post: (message) => receiveLogMessage(logger, message),
      bindings: { thread: "request-1" },
    });
    logger.info("one");
    log.info("two");
    logger.info("three");
    expect(output.lines().map(({ thread, msg }) => [thread, msg])).toEqual([
      ["main", "one"],
      ["request-1", "two"],
      ["main", "three"],
    ]);
  });

  it("makes a worker's lines pretty like main's", async () => {
    const output = new Output();
    const logger = await createLogger({ level: "info", pretty: true }, output);
    createWorkerLogger({
      level: "info",
      post: (message) => receiveLogMessage(logger, message),
      bindings: { thread: "request-1" },
    }).info("hello");
    expect(output.text).toMatch(/INFO.*hello.*request-1/);
  });

  it("loses nothing of a worker that is terminated in an endless loop right after it wrote", async () => {
    const { port1, port2 } = new MessageChannel();
    const module = new URL("../src/logs/forward-console.ts", import.meta.url);
    // The same statements as forwardConsole's, without its types: a worker of Node 20 cannot read TypeScript.
    const { transformSync } = await import("esbuild");
    const { readFileSync } = await import("node:fs");
    const { code } = transformSync(readFileSync(module, "utf8"), { loader: "ts", format: "esm" });
    const script = `${code}
      import { workerData } from "node:worker_threads";
      forwardConsole((message) => workerData.port.postMessage(message));
      for (let i = 0; i < 100; i++) console.log("line", i);
      console.error("the end");
      for (;;);`;
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(script)}`), {
      workerData: { port: port2 },
      transferList: [port2],
    });
    const received: LogWireMessage[] = [];
    port1.on("message", (message: LogWireMessage) => {
      received.push(message);
      if (message.kind === "stderr") void worker.terminate();
    });
    await once(worker, "exit");
    port1.close();
    expect(received).toHaveLength(101);
    expect(received[99]).toEqual({ kind: "stdout", text: "line 99\n" });
    expect(received[100]).toEqual({ kind: "stderr", text: "the end\n" });
  });

  it("gives the streams back when it is undone", () => {
    const original = process.stdout.write;
    const messages: LogWireMessage[] = [];
    const undo = forwardConsole((message) => messages.push(message));
    process.stdout.write(Buffer.from("bytes"));
    undo();
    expect(process.stdout.write).toBe(original);
    expect(messages).toEqual([{ kind: "stdout", text: "bytes" }]);
  });
});

describe("the output", () => {
  it("has every line although the process exits right after it", () => {
    const script = `
      import { pino } from "pino";
      const logger = pino(pino.destination({ dest: 1, sync: false, maxLength: 67108864 }));
      for (let i = 0; i < 5000; i++) logger.info({ i }, "line");
      process.exit(3);`;
    const { stdout, status } = spawnSync(process.execPath, ["--input-type=module", "--eval", script], {
      cwd: new URL("..", import.meta.url),
      encoding: "utf8",
      maxBuffer: 64 * 1024 * 1024,
    });
    expect(status).toBe(3);
    expect(stdout.trim().split("\n")).toHaveLength(5000);
  });
});
