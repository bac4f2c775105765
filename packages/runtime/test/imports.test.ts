/** Who ends a thread waits for what it imports. The count is in shared memory, so one thread can play both sides. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { adoptBell, ownDoorbell } from "../src/future/doorbell.ts";
import { countImport, isUp, newThreadBell, onceImported } from "../src/thread/imports.ts";

const before = ownDoorbell();
let ended: boolean;
const end = (): void => {
  ended = true;
};

beforeEach(() => {
  ended = false;
  vi.useFakeTimers({ toFake: ["setTimeout", "performance"] });
  adoptBell(newThreadBell());
});
afterEach(() => {
  vi.useRealTimers();
  adoptBell(before);
});

describe("a thread is ended", () => {
  test("at once where it imports nothing", () => {
    isUp();
    onceImported(ownDoorbell(), end);
    expect(ended).toBe(true);
  });

  test("when it is up, not while it comes up", () => {
    onceImported(ownDoorbell(), end);
    vi.advanceTimersByTime(1_000);
    expect(ended).toBe(false);
    isUp();
    vi.advanceTimersByTime(10);
    expect(ended).toBe(true);
  });

  test.each(["fulfilled", "rejected"])("when the last import is %s", async (how) => {
    isUp();
    const [first, second] = [gate(), gate()];
    const imports = [first, second].map(({ promise }) => countImport(() => promise));
    onceImported(ownDoorbell(), end);
    first.resolve();
    await imports[0];
    vi.advanceTimersByTime(100);
    expect(ended).toBe(false);
    if (how === "fulfilled") second.resolve();
    else second.reject(new Error("no such module"));
    await Promise.allSettled(imports);
    vi.advanceTimersByTime(10);
    expect(ended).toBe(true);
  });

  test("after five seconds where its import never ends", () => {
    onceImported(ownDoorbell(), end);
    vi.advanceTimersByTime(4_900);
    expect(ended).toBe(false);
    vi.advanceTimersByTime(200);
    expect(ended).toBe(true);
  });
});

function gate(): { readonly promise: Promise<void>; resolve(): void; reject(error: Error): void } {
  let settle: { resolve(): void; reject(error: Error): void } | undefined;
  const promise = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject };
  });
  return { promise, resolve: () => settle?.resolve(), reject: (error) => settle?.reject(error) };
}
