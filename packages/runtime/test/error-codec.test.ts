import { AssertionError } from "node:assert";
import { inspect, types } from "node:util";
import vm from "node:vm";
import { describe, expect, it } from "vitest";
import * as errors from "../src/errors.ts";
import { decodeThrown, type EncodedThrown, encodeError, registerErrorClass } from "../src/wire/error-codec.ts";
import { decodeValue, encodeValue } from "../src/wire/value-codec.ts";

function cross(thrown: unknown, submittedAt?: string): unknown {
  return decodeThrown(structuredClone(encodeError(thrown)), submittedAt);
}
const crossError = (thrown: unknown, submittedAt?: string): Error & Record<string, unknown> =>
  cross(thrown, submittedAt) as Error & Record<string, unknown>;

/** What arrives in a thread that has registered none of the classes named like this. */
function crossUnknown(thrown: Error, ...unknown: string[]): Error & Record<string, unknown> {
  const text = JSON.stringify(encodeError(thrown));
  return decodeThrown(
    JSON.parse(
      unknown.reduce((all, name) => all.replaceAll(`"classes":["${name}"`, `"classes":["not here: ${name}"`), text),
    ) as EncodedThrown,
  ) as Error & Record<string, unknown>;
}

describe("an error arrives as what it was", () => {
  it.each([Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError])("%o", (Class) => {
    const error = new Class("what happened");
    const arrived = crossError(error);
    expect(Object.getPrototypeOf(arrived)).toBe(Class.prototype);
    expect(types.isNativeError(arrived)).toBe(true);
    expect(arrived.name).toBe(Class.name);
    expect(arrived.message).toBe("what happened");
    expect(arrived.stack).toBe(error.stack);
    expect(Object.keys(arrived)).toEqual([]);
    expect(Object.hasOwn(arrived, "name")).toBe(false);
    expect(inspect(arrived)).toBe(inspect(error));
  });

  it("an AggregateError with its errors", () => {
    const inner = new TypeError("inner");
    const arrived = crossError(new AggregateError([inner, "text", { inner }], "all failed"));
    expect(arrived).toBeInstanceOf(AggregateError);
    const [first, text, holder] = arrived.errors as [Error, string, { inner: Error }];
    expect(first).toBeInstanceOf(TypeError);
    expect(text).toBe("text");
    expect(holder.inner).toBe(first);
    expect(Object.getOwnPropertyDescriptor(arrived, "errors")?.enumerable).toBe(false);
  });

  it("a DOMException", () => {
    const arrived = crossError(new DOMException("enough", "AbortError"));
    expect(arrived).toBeInstanceOf(DOMException);
    expect(arrived).toMatchObject({ name: "AbortError", message: "enough", code: 20 });
    expect(arrived.stack).toMatch(/^AbortError: enough\n/);
    expect(crossError(AbortSignal.abort().reason)).toMatchObject({ name: "AbortError" });
  });

  it("WebAssembly's errors", () => {
    const { WebAssembly } = globalThis as unknown as { WebAssembly: Record<string, new (message: string) => Error> };
    for (const name of ["CompileError", "LinkError", "RuntimeError"]) {
      const cls = WebAssembly[name] as new (message: string) => Error;
      const arrived = crossError(new cls("unreachable"));
      expect(arrived).toBeInstanceOf(cls);
      expect(String(arrived)).toBe(`${cls.name}: unreachable`);
    }
  });

  it("an AssertionError and Node's own errors, with their codes and fields", () => {
    const failed = crossError(new AssertionError({ actual: 1, expected: { a: 2 }, operator: "strictEqual" }));
    expect(failed).toBeInstanceOf(AssertionError);
    expect(failed).toMatchObject({ code: "ERR_ASSERTION", actual: 1, expected: { a: 2 } });
    let thrown: Error | undefined;
    try {
      Buffer.alloc("x" as never);
    } catch (error) {
      thrown = error as Error;
    }
    const arrived = crossError(thrown);
    expect(arrived).toBeInstanceOf(TypeError);
    expect(arrived).toMatchObject({ name: "TypeError", code: "ERR_INVALID_ARG_TYPE" });
    expect(arrived.stack).toBe(thrown?.stack);
  });

  it("every error of this package, its getter for the name not shadowed", () => {
    const all: Error[] = [
      new errors.FutureTimeoutError(5),
      new errors.TaskTimeoutError(6),
      new errors.TaskCancelledError("gone", { why: 1 }),
      new errors.DeadlockError(["a waits for b"]),
      new errors.BlockingNotAllowedError("main", "it serves"),
      new errors.WorkerCrashedError("w1", "exit", 3),
      new errors.DataNotCloneableError("args[0]", "a symbol"),
      new errors.TaskDeclarationError("no"),
      new errors.NotATaskError("no"),
      new errors.TaskNotFoundError("id", "no"),
    ];
    for (const error of all) {
      const arrived = crossError(error);
      expect(arrived.constructor).toBe(error.constructor);
      expect(arrived.name).toBe(error.constructor.name);
      expect(Object.hasOwn(arrived, "name")).toBe(Object.hasOwn(error, "name"));
      expect({ ...arrived }).toEqual({ ...error });
      expect(arrived.cause).toEqual(error.cause);
      expect(arrived.stack).toBe(error.stack);
    }
  });

  it("a registered class, without its constructor being called", () => {
    let constructed = 0;
    class OutOfStock extends RangeError {
      readonly #secret = 1;
      readonly sku: string;
      constructor(sku: string) {
        super(`${sku} is out of stock`);
        constructed++;
        this.name = "OutOfStock";
        this.sku = sku;
      }
      get secret(): number {
        return this.#secret;
      }
      shout(): string {
        return this.sku.toUpperCase();
      }
    }
    registerErrorClass(OutOfStock, "shop.OutOfStock");
    const arrived = cross(new OutOfStock("tea")) as OutOfStock;
    expect(arrived).toBeInstanceOf(OutOfStock);
    expect(arrived.shout()).toBe("TEA");
    expect(arrived.name).toBe("OutOfStock");
    expect(arrived.stack).toMatch(/^OutOfStock: tea is out of stock\n {4}at /);
    expect(constructed).toBe(1);
    expect(() => arrived.secret).toThrow(TypeError);
  });

  it("a subclass nobody registered as its nearest registered class, with its own name", () => {
    class Custom extends errors.TaskTimeoutError {}
    const arrived = crossError(new Custom(5));
    expect(arrived.constructor).toBe(errors.TaskTimeoutError);
    expect(arrived).toMatchObject({ name: "Custom", timeoutMs: 5, code: "DUCK_TASK_TIMEOUT" });
    expect(Object.keys(arrived)).not.toContain("name");
  });

  it("a class this thread does not know as the nearest it knows, and as itself where it travels on to", () => {
    class Elsewhere extends TypeError {
      extra = 1;
      override get name(): string {
        return "Elsewhere";
      }
    }
    registerErrorClass(Elsewhere);
    const between = crossUnknown(new Elsewhere("x"), "Elsewhere");
    expect(between.constructor).toBe(TypeError);
    expect(between).toMatchObject({ name: "Elsewhere", message: "x", extra: 1 });
    const text = JSON.stringify(encodeError(between)).replaceAll("not here: ", "");
    const home = decodeThrown(JSON.parse(text) as EncodedThrown) as Elsewhere;
    expect(home).toBeInstanceOf(Elsewhere);
    expect(home.stack?.match(/Elsewhere: x/g)).toHaveLength(1);
  });

  it("an error of another realm", () => {
    const arrived = crossError(vm.runInNewContext('Object.assign(new RangeError("far"), { a: 1 })'));
    expect(arrived).toBeInstanceOf(RangeError);
    expect(arrived).toMatchObject({ message: "far", a: 1 });
  });
});

describe("what an error carries", () => {
  it("its own fields, enumerable or not as they were", () => {
    const error = Object.assign(new Error("x"), {
      code: "E_X",
      details: { at: new Date(0), ids: new Set([1]) },
      none: undefined,
    });
    Object.defineProperty(error, "issues", { value: [{ path: ["a"] }], enumerable: false });
    const arrived = crossError(error);
    expect(Object.keys(arrived)).toEqual(["code", "details", "none"]);
    expect(arrived.details).toEqual({ at: new Date(0), ids: new Set([1]) });
    expect(arrived.issues).toEqual([{ path: ["a"] }]);
    expect(Object.getOwnPropertyDescriptor(arrived, "issues")?.enumerable).toBe(false);
  });

  it("fields that cannot be cloned, as text", () => {
    const error = Object.assign(new Error("x"), {
      fn() {},
      sym: Symbol("s"),
      deep: { promise: Promise.resolve(1) },
      map: new WeakMap(),
      toString: () => "mine",
    });
    const arrived = crossError(error);
    expect(arrived).toMatchObject({
      fn: "[Function: fn]",
      sym: "Symbol(s)",
      deep: "{ promise: Promise { 1 } }",
      map: "WeakMap { <items unknown> }",
    });
    expect(String(arrived)).toBe("Error: x");
  });

  it("causes, however long the chain", () => {
    let error = new Error("0");
    for (let i = 1; i <= 20_000; i++) error = new TypeError(String(i), { cause: error });
    let at: unknown = cross(error);
    let count = 0;
    for (; at instanceof Error; at = at.cause) count++;
    expect(count).toBe(20_001);
  });

  it("cycles through causes, errors and fields", () => {
    const error = new AggregateError([], "loop") as AggregateError & { self: unknown };
    error.cause = new Error("middle", { cause: error });
    error.errors.push(error);
    error.self = { map: new Map([[error, [error]]]) };
    const arrived = cross(error) as typeof error;
    expect((arrived.cause as Error).cause).toBe(arrived);
    expect(arrived.errors[0]).toBe(arrived);
    expect((arrived.self as { map: Map<unknown, unknown[]> }).map.get(arrived)?.[0]).toBe(arrived);
    expect(inspect(arrived)).toContain("[Circular *1]");
  });

  it("a cause that is no error, or cannot be cloned", () => {
    expect(crossError(new Error("x", { cause: "text" })).cause).toBe("text");
    expect(crossError(new Error("x", { cause: { code: 1 } })).cause).toEqual({ code: 1 });
    expect(crossError(new Error("x", { cause: () => {} })).cause).toBe("[Function: cause]");
    expect(Object.hasOwn(crossError(new Error("x")), "cause")).toBe(false);
  });

  it("inside another value too, once however often it is there", () => {
    const error = Object.assign(new RangeError("inner"), { owner: {} as unknown });
    const value = { list: [error, error], map: new Map([[error, 1]]) };
    error.owner = value;
    const encoded = structuredClone(encodeValue(value, []));
    const arrived = decodeValue(encoded.value, encoded.specials) as typeof value;
    expect(arrived.list[0]).toBeInstanceOf(RangeError);
    expect(arrived.list[0]).toBe(arrived.list[1]);
    expect([...arrived.map.keys()][0]).toBe(arrived.list[0]);
    expect(arrived.list[0]?.owner).toBe(arrived);
  });
});

describe("an error that is odd", () => {
  const odd: [string, () => Error, Record<string, unknown>][] = [
    ["is frozen", () => Object.freeze(Object.assign(new Error("cold"), { a: 1 })), { message: "cold", a: 1 }],
    [
      "has getters that throw",
      () =>
        Object.defineProperty(new Error("x"), "bad", {
          enumerable: true,
          get() {
            throw new Error("no");
          },
        }),
      { message: "x", bad: expect.stringContaining("[getter threw Error: no") },
    ],
    [
      "has a stack that throws",
      () =>
        Object.defineProperty(new Error("x"), "stack", {
          get() {
            throw new Error("no");
          },
        }),
      { stack: "Error: x" },
    ],
    [
      "has no stack",
      () => Object.assign(new TypeError("x"), { stack: undefined } as object),
      { stack: "TypeError: x" },
    ],
    ["has a stack that is a list", () => Object.assign(new Error("x"), { stack: [1] as never }), { stack: "Error: x" }],
    ["has no message", () => new Error(), { message: "" }],
    [
      "has a message and a name that are no text",
      () => Object.assign(new Error("x"), { message: 5 as never, name: { a: 1 } as never }),
      { stack: expect.stringMatching(/^\{ a: 1 \}: 5/) },
    ],
    [
      "has a message of many lines",
      () => new Error("a\n    at b\nc"),
      { stack: expect.stringMatching(/^Error: a\n {4}at b\nc\n {4}at /) },
    ],
    [
      "changed its message",
      () => Object.assign(new Error("old"), { message: "new" }),
      { stack: expect.stringMatching(/^Error: new\n {4}at /) },
    ],
    [
      "only inherits from Error",
      () => Object.assign(Object.create(TypeError.prototype) as Error, { message: "made" }),
      { message: "made", stack: "TypeError: made" },
    ],
    ["is a proxy", () => new Proxy(new Error("x"), {}), { message: "x" }],
    [
      "is a proxy that throws",
      () =>
        new Proxy(new Error("x"), {
          get() {
            throw new Error("no");
          },
          ownKeys() {
            throw new Error("no");
          },
        }),
      {},
    ],
    [
      "has a name that throws",
      () =>
        new (class extends Error {
          override get name(): string {
            throw new Error("no");
          }
        })("x"),
      { name: "Error", message: "x" },
    ],
    [
      "has a field called __proto__",
      () => Object.defineProperty(new Error("x"), "__proto__", { value: 1, enumerable: true }),
      { message: "x" },
    ],
  ];
  it.each(odd)("since it %s crosses all the same", (_, make, expected) => {
    const arrived = crossError(make());
    expect(types.isNativeError(arrived)).toBe(true);
    expect(arrived).toMatchObject(expected);
    expect(arrived.stack).toBeTypeOf("string");
    inspect(arrived);
  });

  it("since its stack is huge crosses with part of it", () => {
    const error = new Error("deep");
    error.stack = `Error: deep\n${"    at f (file.js:1:1)\n".repeat(50_000)}`;
    const { stack } = crossError(error);
    expect(stack?.length).toBeLessThan(40_000);
    expect(stack).toMatch(/\n {4}at --- \d+ more characters of stack ---$/);
  });
});

describe("a thrown value that is no error", () => {
  it.each([["text"], [0], [null], [undefined], [{ code: 1 }], [[1, new Map()]], [10n]])(
    "arrives as the value: %o",
    (value) => {
      expect(encodeError(value).kind).toBe("value");
      expect(cross(value, "Error\n    at submit (a.ts:1:1)")).toEqual(value);
    },
  );
  it.each([
    [() => {}, "[Function"],
    [Symbol("s"), "Symbol(s)"],
    [{ save() {} }, "{ save: [Function: save] }"],
    [
      new Proxy(
        {},
        {
          get() {
            throw new Error("no");
          },
        },
      ),
      "thrown that",
    ],
  ])("arrives as an error that describes it where it cannot be cloned: %#", (value, text) => {
    const arrived = crossError(value);
    expect(arrived).toBeInstanceOf(Error);
    expect(arrived.message).toContain(text);
  });

  it("arrives as an error that describes it where not even its class can be asked for", () => {
    const { proxy: revoked, revoke } = Proxy.revocable({}, {});
    revoke();
    const guarded = new Proxy(
      {},
      {
        getPrototypeOf() {
          throw new Error("no");
        },
      },
    );
    expect(crossError(revoked).message).toContain("<Revoked Proxy>");
    expect(crossError(guarded).message).toContain("thrown that cannot cross");
  });
});

describe("the submitting side", () => {
  const submittedAt = "Error\n    at submit (app.ts:1:1)\n    at main (app.ts:2:2)";

  it("is in the stack and in what console.error prints, beneath the error's own frames", () => {
    const error = new TypeError("x");
    const arrived = crossError(error, submittedAt);
    const beneath =
      "\n    at --- submitted to another thread by ---\n    at submit (app.ts:1:1)\n    at main (app.ts:2:2)";
    expect(arrived.stack).toBe(error.stack + beneath);
    expect(inspect(arrived)).toContain(beneath);
    expect(Object.keys(arrived)).toEqual([]);
  });

  it("is shown once for each thread that was crossed, and not more for an error passed on and on", () => {
    let error: unknown = new Error("x");
    error = cross(error, submittedAt);
    error = cross(error, submittedAt);
    expect((error as Error).stack?.match(/submitted to/g)).toHaveLength(1);
    for (let i = 0; i < 50; i++) error = cross(error, `Error\n    at hop${i} (app.ts:${i}:1)`);
    const { stack } = error as Error;
    expect(stack?.match(/submitted to/g)?.length).toBeLessThanOrEqual(4);
    expect(stack).toContain("at hop49 ");
    expect(stack).toMatch(/^Error: x\n {4}at /);
  });

  it("without frames adds nothing", () => {
    const error = new Error("x");
    expect(crossError(error, "Error").stack).toBe(error.stack);
  });
});

describe("registerErrorClass", () => {
  it("takes only classes of errors, with a name", () => {
    expect(() => registerErrorClass(Map as never)).toThrow(TypeError);
    expect(() => registerErrorClass("x" as never)).toThrow(/expected a class that extends Error, got x/);
    expect(() => registerErrorClass((() => class extends Error {})())).toThrow(/a class with a name/);
  });
});

it("an error that cannot be rebuilt is an error that says so", () => {
  expect(
    decodeThrown({ kind: "value", value: null, specials: [{ tag: "?", payload: 1, at: [null, 0] }] }),
  ).toMatchObject({ message: expect.stringContaining("could not be rebuilt") });
});
