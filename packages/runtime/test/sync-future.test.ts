import { inspect } from "node:util";
import {
  asyncToSyncFuture,
  BlockingNotAllowedError,
  DeadlockError,
  FutureTimeoutError,
  SyncFuture,
  setLogger,
  TaskCancelledError,
} from "@duck-ts/runtime";
import { forbidBlocking } from "@duck-ts/runtime/internal";
import { afterEach, describe, expect, it, vi } from "vitest";

afterEach(() => setLogger(undefined));

describe("a SyncFuture", () => {
  it("keeps the first write and refuses the others", () => {
    const future = new SyncFuture<number>();
    expect(future.done).toBe(false);
    expect(future.setResult(1)).toBe(true);
    expect(future.setResult(2)).toBe(false);
    expect(future.setException(new Error("late"))).toBe(false);
    expect(future.cancel()).toBe(false);
    expect(future.result()).toBe(1);
    expect(future.exception()).toBeNull();
    expect(future.cancelled).toBe(false);
  });

  it("gives its error to all who ask, in whatever way", async () => {
    const error = new RangeError("no");
    const future = new SyncFuture<number>();
    future.setException(error);
    expect(() => future.result()).toThrow(error);
    expect(future.exception()).toBe(error);
    await expect(future).rejects.toBe(error);
    await expect(future.catch((caught: unknown) => caught)).resolves.toBe(error);
  });

  it("can be awaited before and after it is done", async () => {
    const future = new SyncFuture<string>();
    const early = Promise.all([future, future.then((value) => value.length)]);
    future.setResult("four");
    expect(await early).toEqual(["four", 4]);
    expect(await future).toBe("four");
    let ran = false;
    await future.finally(() => {
      ran = true;
    });
    expect(ran).toBe(true);
  });

  it("is cancelled once, with the reason as cause", async () => {
    const future = new SyncFuture<number>();
    expect(future.cancel("not needed")).toBe(true);
    expect(future.cancel("again")).toBe(false);
    expect(future.cancelled).toBe(true);
    const error = future.exception() as TaskCancelledError;
    expect(error).toBeInstanceOf(TaskCancelledError);
    expect(error.cause).toBe("not needed");
    await expect(future).rejects.toBe(error);
  });

  it("ends a wait at its deadline and goes on", () => {
    const future = new SyncFuture<number>();
    expect(() => future.result(5)).toThrow(FutureTimeoutError);
    expect(() => future.result(0)).toThrow(/not done after 0 ms/);
    expect(future.done).toBe(false);
    future.setResult(3);
    expect(future.result(0)).toBe(3);
  });

  it("refuses a wait that nobody could end, instead of hanging", () => {
    expect(() => new SyncFuture().result()).toThrow(DeadlockError);
  });

  it("refuses a timeout that is none", () => {
    const future = new SyncFuture();
    expect(() => future.result(-1)).toThrow(RangeError);
    expect(() => future.result(Number.NaN)).toThrow(/timeoutMs: expected a number of milliseconds/);
  });

  it("waits with a timeout of Infinity as without one: not for what nobody can settle", () => {
    expect(() => new SyncFuture().result(Number.POSITIVE_INFINITY)).toThrow(DeadlockError);
  });

  it("calls back once it is done, also those who come late, and logs what a callback throws", async () => {
    const errors: unknown[] = [];
    setLogger({ error: (...args: unknown[]) => errors.push(args), warn() {}, info() {}, debug() {} } as never);
    const seen: unknown[] = [];
    const future = new SyncFuture<number>();
    future.addDoneCallback((done) => seen.push(done.result()));
    future.addDoneCallback(() => {
      throw new Error("bad callback");
    });
    future.setResult(1);
    expect(seen).toEqual([]);
    await null;
    future.addDoneCallback(() => seen.push("late"));
    await null;
    expect(seen).toEqual([1, "late"]);
    expect(errors).toHaveLength(1);
  });

  it("logs what an asynchronous callback throws too, and refuses at once what is no function", async () => {
    const logged = new Promise<unknown>((resolve) => {
      setLogger({ error: resolve, warn() {}, info() {}, debug() {} } as never);
    });
    const future = new SyncFuture<number>();
    const failure = new Error("bad callback");
    future.addDoneCallback(async () => {
      throw failure;
    });
    expect(() => future.addDoneCallback(5 as never)).toThrow(TypeError);
    future.setResult(1);
    expect(await logged).toMatchObject({ err: failure });
  });

  it("logs a failure that nobody looks at, once, and lets no unhandledRejection happen", async () => {
    const warnings: unknown[][] = [];
    setLogger({ warn: (...args: unknown[]) => warnings.push(args), error() {}, info() {}, debug() {} } as never);
    const unhandled = vi.fn();
    process.on("unhandledRejection", unhandled);
    new SyncFuture().setException(new Error("nobody looks"));
    const looked = new SyncFuture();
    looked.setException(new Error("looked at"));
    looked.exception();
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    process.off("unhandledRejection", unhandled);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]?.[0]).toMatchObject({ err: { message: "nobody looks" } });
    expect(unhandled).not.toHaveBeenCalled();
  });

  it("shows how far it is, and being shown is not being looked at", async () => {
    const warnings: unknown[][] = [];
    setLogger({ warn: (...args: unknown[]) => warnings.push(args), error() {}, info() {}, debug() {} } as never);
    const future = new SyncFuture<object>();
    expect(inspect(future)).toBe("SyncFuture { <pending> }");
    future.setResult({ a: { b: { c: {} } } });
    expect(inspect(future)).toBe("SyncFuture { { a: { b: [Object] } } }");
    expect(inspect([[[[future]]]])).toBe("[ [ [ [Array] ] ] ]");
    expect(inspect([[[future]]])).toBe("[ [ [ [SyncFuture] ] ] ]");
    const cancelled = new SyncFuture();
    cancelled.cancel("late");
    expect(inspect(cancelled)).toMatch(/^SyncFuture { <cancelled> TaskCancelledError: The task was cancelled/);
    const failed = new SyncFuture();
    failed.setException(new RangeError("no"));
    expect(inspect(failed)).toMatch(/^SyncFuture { <rejected> RangeError: no\n/);
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    expect(warnings).toHaveLength(1);
  });

  it("does not block where the thread serves others", () => {
    const allow = forbidBlocking("it serves HTTP");
    const future = new SyncFuture<number>();
    expect(() => future.result(10)).toThrow(BlockingNotAllowedError);
    expect(() => future.result(10)).toThrow(/it serves HTTP/);
    future.setResult(1);
    expect(future.result()).toBe(1);
    allow();
    expect(() => new SyncFuture().result(1)).toThrow(FutureTimeoutError);
  });
});

describe("asyncToSyncFuture", () => {
  it("settles with its promise", async () => {
    const future = asyncToSyncFuture(Promise.resolve(5));
    expect(await future).toBe(5);
    expect(future.result()).toBe(5);
    await expect(asyncToSyncFuture(Promise.reject(new Error("no")))).rejects.toThrow("no");
  });

  it("is a DeadlockError where the promise lives, and a TypeError for what is no promise", () => {
    expect(() => asyncToSyncFuture(new Promise((resolve) => setTimeout(resolve, 1))).result(1000)).toThrow(
      DeadlockError,
    );
    expect(() => asyncToSyncFuture(1 as never)).toThrow(/expected a promise, got number/);
  });

  it("fails where the then() of what it was given throws", async () => {
    const failure = new Error("no promise after all");
    const broken = {
      // biome-ignore lint/suspicious/noThenProperty: what libraries give in place of promises has one.
      then() {
        throw failure;
      },
    };
    await expect(asyncToSyncFuture(broken as never)).rejects.toBe(failure);
  });

  it("is cancelled when its source was", async () => {
    const source = new SyncFuture();
    const abort = asyncToSyncFuture(Promise.reject(new DOMException("stop", "AbortError")));
    source.cancel();
    expect(asyncToSyncFuture(source).cancelled).toBe(true);
    await abort.catch(() => undefined);
    expect(abort.cancelled).toBe(true);
  });
});
