/** What an app declares is checked where it is declared, and the message says what was found and what was expected. */
import { AppDefinitionError, defineApp, get, post, ws } from "@duck-ts/server";
import { expect, test } from "vitest";

const said = (declare: () => unknown): string => {
  try {
    declare();
  } catch (error) {
    expect(error).toBeInstanceOf(AppDefinitionError);
    return (error as Error).message;
  }
  throw new Error("It was taken as it is.");
};

test("a misspelt hook of an app is told of, since nothing would ever call it", () => {
  const misspelt = { routes: [], onWorkerStrat: () => undefined };
  expect(said(() => defineApp(misspelt))).toBe(
    'defineApp: unknown member "onWorkerStrat" (did you mean onWorkerStart?).',
  );
  expect(said(() => defineApp({ routes: [], onerror: () => undefined } as never))).toContain("did you mean onError?");
  // What is like none of them is the app's own.
  expect(defineApp(Object.assign({ routes: [get("/", () => 1)] }, { version: 3 })).routes).toHaveLength(1);
});

test("a route that runs on main cannot have its body as a stream: nobody would ever send it one", () => {
  const declare = (): unknown => post("/upload", { run: "main", streamBody: true }, () => null);
  expect(said(declare)).toBe(
    'POST /upload: streamBody must not be true with run: "main", where bodies are collected first.',
  );
  expect(post("/upload", { run: "main", streamBody: false }, () => null).options.run).toBe("main");
});

test("a WebSocket route says what its callbacks and options may be", () => {
  expect(said(() => ws("/a", { onMessage: () => undefined } as never))).toBe(
    'ws /a: unknown callback "onMessage", expected one of open, message, close.',
  );
  expect(said(() => ws("/a", {}, { maxMessageByte: 1 } as never))).toContain('unknown option "maxMessageByte"');
  expect(said(() => ws("/a", {}, { pingIntervalMs: -1 }))).toBe(
    "ws /a: pingIntervalMs must be a whole number, 0 or more; got -1.",
  );
  expect(said(() => ws("/a", {}, { maxMessageBytes: 0 }))).toContain("1 or more; got 0.");
  expect(ws("/a", { message: () => undefined }, { pingIntervalMs: 0 }).path).toBe("/a");
});
