/** Apps and routes that cannot work say so where they are declared: what was found, and what was expected. */
import { defineApp, get, HttpError, html, post, route, ws } from "@duck-ts/server";
import { expect, test } from "vitest";
import { z } from "zod";

const answer = (): never => undefined as never;
const wrong = (value: unknown): never => value as never;

test.each<[string, () => unknown, string]>([
  ["a path that is none", () => get(wrong(undefined), answer), `got undefined`],
  ["a path that is a number", () => get(wrong(3), answer), `Expected a path, text that begins with "/", got 3`],
  ["a path without its slash", () => get("a", answer), `The path "a" must begin with "/"`],
  [
    "a pattern that is no regular expression",
    () => get("/a/:x([)", answer),
    `The path "/a/:x([)" has a parameter ":x([)" whose pattern is no regular expression`,
  ],
  [
    "a method that there is not",
    () => route(wrong("FETCH"), "/a", answer),
    `route("FETCH", "/a"): expected one of GET`,
  ],
  ["no handler", () => get("/a", wrong(undefined)), "GET /a: expected a handler function, got undefined"],
  ["a handler that is none", () => get("/a", wrong("x")), `GET /a: expected a handler function, got "x"`],
  ["an option of the wrong type", () => get("/a", wrong({ timeoutMs: "30" }), answer), `above 0, got "30"`],
  ["an option that there is not", () => get("/a", wrong({ timeout: 3 }), answer), `unknown option "timeout"`],
  [
    "plain fields for a schema",
    () => get("/a", wrong({ query: { a: z.string() } }), answer),
    "query must be a zod schema",
  ],
  [
    "plain fields for a response",
    () => get("/a", wrong({ response: { a: z.string() } }), answer),
    "response must be a zod schema, or an object of them by status ({ 200: schema }), got an object",
  ],
  ["a response that is text", () => get("/a", wrong({ response: "string" }), answer), `got "string"`],
  ["a switch that is text", () => post("/a", wrong({ streamBody: "yes" }), answer), `must be true or false, got "yes"`],
  ["a list of routes in the list", () => defineApp({ routes: wrong([[get("/a", answer)]]) }), "is an array, expected"],
  [
    "a list in place of an app",
    () => defineApp(wrong([get("/a", answer)])),
    "expected { routes: [...] }, got an array",
  ],
  [
    "a hook that there is not",
    () => defineApp(wrong({ routes: [], onStart() {} })),
    `unknown "onStart", expected one of`,
  ],
  [
    "a misspelt hook",
    () => defineApp(wrong({ routes: [], onWorkerStrat() {} })),
    `unknown "onWorkerStrat" (did you mean onWorkerStart?)`,
  ],
  [
    "a body as a stream on main",
    () => post("/a", { run: "main", streamBody: true }, answer),
    `streamBody must not be true with run: "main", where bodies are collected first`,
  ],
  ["a hook that is none", () => defineApp(wrong({ routes: [], onError: 3 })), "onError must be a function, got 3"],
  ["a route twice", () => defineApp({ routes: [get("/a", answer), get("/a", answer)] }), "GET /a is declared twice"],
  [
    "a route that another one hides",
    () => defineApp({ routes: [get("/a/:x", answer), get("/a/:y", answer)] }),
    "GET /a/:y would never be reached, GET /a/:x takes the same requests",
  ],
  ["a callback that is none", () => ws("/a", wrong({ message: "x" })), `message must be a function, got "x"`],
  ["a socket's option that is text", () => ws("/a", {}, wrong({ maxMessageBytes: "1mb" })), `1 or more, got "1mb"`],
  ["a socket's callback that there is not", () => ws("/a", wrong({ onMessage() {} })), `unknown callback "onMessage"`],
  ["a socket's option below the least", () => ws("/a", {}, { pingIntervalMs: -1 }), "0 or more, got -1"],
  ["a socket's option that there is not", () => ws("/a", {}, wrong({ ping: 3 })), `ws /a: unknown option "ping"`],
  ["a status that is text", () => new HttpError(wrong("404")), `from 400 to 599, got "404"`],
  ["HTML that is no text", () => html(wrong(undefined)), "html: expected a string, got undefined"],
])("%s", (_what, declare, message) => {
  expect(declare).toThrow(message);
});

test("what is fine, or the app's own, is taken", () => {
  expect(defineApp(Object.assign({ routes: [get("/", answer)] }, { version: 3 })).routes).toHaveLength(1);
  expect(post("/a", { run: "main", streamBody: false }, answer).options.run).toBe("main");
  expect(ws("/a", { message: answer }, { pingIntervalMs: 0 }).path).toBe("/a");
});

test("routes of one shape are each reached where method or pattern tells them apart", () => {
  const routes = [
    get("/a/:x(\\d+)", answer),
    get("/a/:y", answer),
    post("/a/:x", answer),
    ws("/a/:x", {}),
    get("/a/:x/b", answer),
    get("/a/*", answer),
  ];
  expect(defineApp({ routes }).routes).toHaveLength(6);
});

test("a socket without pings is one", () => {
  expect(ws("/a", {}, { pingIntervalMs: 0, maxMessageBytes: undefined }).kind).toBe("websocket");
});

test("an app may be made of another one; a response may have schemas by status", () => {
  const byStatus = { response: { 200: z.object({ id: z.number() }), 404: z.string() } };
  const first = defineApp({ routes: [get("/a", byStatus, () => ({ id: 1 }))] });
  expect(defineApp({ ...first, routes: [...first.routes, get("/b", answer)] }).routes).toHaveLength(2);
});
