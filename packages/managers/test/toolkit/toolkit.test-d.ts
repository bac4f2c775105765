/** What the toolkit's types say. Judged by tsc: a line that compiles though it should not is an error here. */
import {
  FromThreadChannel,
  type InThread,
  IteratorWrapper,
  inThread,
  onLoop,
  syncAwait,
  syncWaitCoroutine,
  ThreadPoolExecutor,
  threaded,
  threadedIterable,
  threadedSeparate,
} from "@duck-ts/managers";
import { currentThread, type TaskCall, type TaskFuture, task } from "@duck-ts/runtime";

type Equal<A, B> = (<X>() => X extends A ? 1 : 2) extends <X>() => X extends B ? 1 : 2 ? true : false;
declare function expectEqual<A, B>(equal: Equal<A, B>): void;

const hash = threaded((password: string, rounds: number = 12) => password.length * rounds);
const future = hash("x");
expectEqual<typeof future, TaskFuture<number>>(true);
const here = hash.syncCall("x", 3);
expectEqual<typeof here, number>(true);
const call = hash.call("x");
expectEqual<typeof call, TaskCall<number>>(true);
const there = hash.with({ timeoutMs: 5, executor: new ThreadPoolExecutor(1) })("x");
expectEqual<typeof there, TaskFuture<number>>(true);
// @ts-expect-error the argument's type
hash(5);
// @ts-expect-error too few arguments
hash();
// @ts-expect-error there is no such option
hash.with({ timeout: 5 });
// @ts-expect-error what it returns is not there yet
const tooEarly: number = hash("x");

// @ts-expect-error an async function needs no thread
threaded(async () => 1);
// @ts-expect-error nor does an async generator
threadedSeparate(async function* () {
  yield 1;
});
// @ts-expect-error nor in an iterable
threadedIterable(async function* () {
  yield 1;
});
const fails = threaded((): never => {
  throw new Error();
});
expectEqual<ReturnType<typeof fails>, TaskFuture<never>>(true);

const fromGenerator = threaded(function* (n: number) {
  yield String(n);
});
for await (const item of fromGenerator(1)) expectEqual<typeof item, string>(true);
const lines = threadedIterable(function* (path: string): Generator<{ line: string }, number, unknown> {
  yield { line: path };
  return 5;
});
for await (const item of lines("x")) expectEqual<typeof item, { line: string }>(true);
for await (const item of lines.with({ maxSize: 2 })("x")) expectEqual<typeof item, { line: string }>(true);
for (const item of lines.syncCall("x")) expectEqual<typeof item, { line: string }>(true);
const list = threadedIterable((n: number) => new Set([n]));
for await (const item of list(1)) expectEqual<typeof item, number>(true);
// @ts-expect-error it is read with for await
for (const _item of lines("x"));
// @ts-expect-error a number is not iterable
threadedIterable(() => 5);
for await (const item of new IteratorWrapper(lines.call("x"), { maxSize: 2 }))
  expectEqual<typeof item, { line: string }>(true);
const declared = task(function* () {
  yield 1;
});
for await (const item of new IteratorWrapper(declared)) expectEqual<typeof item, number>(true);

const operation = onLoop(async (n: number) => `got ${n}`);
const waited = syncAwait(operation, 5);
expectEqual<typeof waited, string>(true);
const waitedCall = syncAwait(operation(5));
expectEqual<typeof waitedCall, string>(true);
const onThread = syncWaitCoroutine(currentThread(), operation(5));
expectEqual<typeof onThread, string>(true);
// @ts-expect-error the argument's type
syncAwait(operation, "x");

const channel = new FromThreadChannel<number>({ maxSize: 2 });
channel.put(1);
// @ts-expect-error the item's type
channel.put("x");
const item = channel.get();
expectEqual<typeof item, Promise<number>>(true);
for await (const each of channel) expectEqual<typeof each, number>(true);

class Shape {
  readonly side = 2;
  area(scale: number): number {
    return this.side * scale;
  }
  *parts(): Generator<string, void, unknown> {
    yield "x";
  }
  async later(): Promise<number> {
    return 1;
  }
  static double(x: number): number {
    return x * 2;
  }
}
const shape = inThread(new Shape());
expectEqual<ReturnType<typeof shape.area>, TaskFuture<number>>(true);
for await (const part of shape.parts()) expectEqual<typeof part, string>(true);
expectEqual<keyof InThread<Shape>, "area" | "parts">(true);
const doubled = inThread(Shape).double(1);
expectEqual<typeof doubled, TaskFuture<number>>(true);
// @ts-expect-error the argument's type
shape.area("x");
// @ts-expect-error a field is no method
shape.side;

export { tooEarly };
