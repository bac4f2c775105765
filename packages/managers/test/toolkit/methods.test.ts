/** inThread() and registerClass(): methods in other threads. */
import { inThread, ReviveHookNeeded, registerClass, ThreadPoolExecutor } from "@duck-ts/managers";
import { TaskDeclarationError } from "@duck-ts/runtime";
import { describe, expect, onTestFinished, test } from "vitest";
import { failure, thrownBy } from "../support/gates.ts";
import { Bag, Counter, Revived, Shape, Square, Tile, Unregistered } from "./fixtures/classes.mjs";
import { bundled, runScript } from "./support/scripts.ts";
import { leavesNoThread } from "./support/threads.ts";

leavesNoThread();

describe.each([
  ["in the pool", "pool"],
  ["in a thread of its own", "separate"],
] as const)("a method %s", (_where, kind) => {
  const there = <T extends object>(target: T) =>
    (kind === "pool" ? inThread(target) : inThread(target, { separate: true })) as ReturnType<typeof inThread<T>>;

  test("sees its object as it is at the call; what it changes stays over there", async () => {
    const square = new Square(2);
    expect(await there(square).describe()).toBe(`square of 4 in ${kind}`);
    square.name = "box";
    expect(await there(square).describe()).toBe(`box of 4 in ${kind}`);
    expect(await there(square).rename("other")).toBe("other");
    expect(square.name).toBe("box");
  });

  test("is the override of the object's own class, with super, and what an abstract base calls", async () => {
    expect(await there(new Tile(3)).area()).toBe(10);
    expect(await there(new Tile(3)).describe()).toBe(`square of 10 in ${kind}`);
    const error = (await failure(there(new Shape("blob")).area.with({ logException: false })())) as Error;
    expect(error.message).toBe("abstract");
  });

  test("may be static, and sees the class as this", async () => {
    expect(await there(Shape).double(21)).toBe(42);
    expect(await there(Tile as unknown as typeof Shape).kindOf()).toBe("Tile");
  });

  test("may be a generator, and is then an iterable", async () => {
    const parts: string[] = [];
    for await (const part of there(new Square(1)).parts(3)) parts.push(part);
    expect(parts).toEqual(["square 0", "square 1", "square 2"]);
  });

  test("works on a frozen object, which is frozen over there too", async () => {
    const frozen = Object.freeze(new Square(2));
    expect(await there(frozen).describe()).toBe(`square of 4 in ${kind}`);
    expect(await failure(there(frozen).rename.with({ logException: false })("x"))).toBeInstanceOf(TypeError);
  });

  test("that uses #private state needs the hooks, else says so", async () => {
    const error = (await failure(there(new Counter(1)).next.with({ logException: false })())) as ReviveHookNeeded;
    expect(error).toBeInstanceOf(ReviveHookNeeded);
    expect(error.message).toMatch(/registerClass\(Counter, \{ dehydrate, revive \}\)/);
    expect(await there(new Counter(1)).plain()).toBe("plain");
    expect(await there(new Revived(41)).next()).toBe(42);
  });
});

test("a method taken from an object is the same function every time", () => {
  const square = new Square(1);
  expect(inThread(square).area).toBe(inThread(square).area);
  expect(inThread(square)).toBe(inThread(square));
  expect(inThread(Square).double).toBe(inThread(Square).double);
  expect(inThread(square, { separate: true }).area).not.toBe(inThread(square).area);
});

test("a method can be called here, and submitted as a call, and be given an executor", async () => {
  const executor = new ThreadPoolExecutor(1);
  onTestFinished(async () => void (await executor.shutdown()));
  const square = new Square(3);
  expect(inThread(square).area.syncCall()).toBe(9);
  expect(await executor.submit(inThread(square).area.call())).toBe(9);
  expect(await inThread(square, { executor }).describe()).toBe("square of 9 in pool");
  expect(executor.statistics.done).toBe(2);
});

test("what cannot work is refused with advice", () => {
  expect(thrownBy(() => inThread(new Unregistered(1)))).toBeInstanceOf(TaskDeclarationError);
  expect((thrownBy(() => inThread(new Unregistered(1))) as Error).message).toMatch(
    /registerClass\(Unregistered\).*a registered base class does not stand for it/,
  );
  expect(thrownBy(() => inThread({}))).toBeInstanceOf(TaskDeclarationError);
  expect(thrownBy(() => inThread(5 as never))).toBeInstanceOf(TypeError);
  expect(thrownBy(() => inThread(new Bag()).count())).toBeInstanceOf(ReviveHookNeeded);
  expect((thrownBy(() => (inThread(new Square(1)) as never as { later: unknown }).later) as Error).message).toMatch(
    /async function later/,
  );
  expect((thrownBy(() => (inThread(new Square(1)) as never as { nothing: unknown }).nothing) as Error).message).toMatch(
    /no method "nothing"/,
  );
  expect(thrownBy(() => registerClass(class Local {}))).toBeInstanceOf(TaskDeclarationError);
  expect(thrownBy(() => registerClass(5 as never))).toBeInstanceOf(TypeError);
  expect(thrownBy(() => registerClass(Square, { revive: () => new Square(1) }))).toBeInstanceOf(TypeError);
});

test.each([
  ["standard", false],
  ["TypeScript's older", true],
])("the %s decorators stand for the same", async (_, experimentalDecorators) => {
  const tsconfigRaw = { compilerOptions: { experimentalDecorators } };
  const script = await bundled("decorated.ts", { external: ["@duck-ts/*"], tsconfigRaw });
  expect(await runScript(script)).toEqual({ code: 0, stdout: "20 in pool\nseparate\nAccount in pool\n200,400,600\n" });
});
