import { expect, test } from "vitest";
import { parsePath } from "../src/app/path.ts";
import { parseCookies, parseQuery } from "../src/app/query.ts";
import { Deque } from "../src/engine/deque.ts";
import { costOf, isAsync, packCost } from "../src/engine/envelope.ts";
import { retryAfterSeconds } from "../src/engine/retry-after.ts";
import { RouteCost } from "../src/engine/route-cost.ts";
import { Slots } from "../src/engine/slots.ts";
import { SpawnPolicy, START_ATTEMPTS } from "../src/engine/spawn-policy.ts";
import { BodySource } from "../src/engine/worker/body-source.ts";
import { readsStream } from "../src/engine/worker/reads-stream.ts";

type Ctx = { readonly request: Request; readonly body: unknown; readonly url: string };

test("a deque keeps its order while it grows and wraps", () => {
  const deque = new Deque<number>();
  const model: number[] = [];
  for (let i = 0; i < 1000; i++) {
    if (i % 3 === 2) expect(deque.shift()).toBe(model.shift());
    else if (i % 7 === 0) {
      deque.unshift(i);
      model.unshift(i);
    } else {
      deque.push(i);
      model.push(i);
    }
    expect([deque.length, deque.peek()]).toEqual([model.length, model[0]]);
  }
});

test("a body whose reader has left gives credit for all that still comes, and its end finds nobody", async () => {
  const credits: number[] = [];
  const source = new BodySource((pieces) => credits.push(pieces));
  const reader = source.stream.getReader();
  const waiting = reader.read();
  await new Promise((resolve) => setImmediate(resolve)); // it has asked, and waits for a piece
  await reader.cancel();
  expect((await waiting).done).toBe(true);
  const before = credits.length;
  source.push([new Uint8Array(1), new Uint8Array(1)]);
  source.end(null);
  expect(credits.slice(before)).toEqual([2]);
});

test("a request is either begun by its worker or taken back by main, never both", () => {
  const main = new Slots();
  const worker = new Slots(main.buffer);
  main.markSent(3);
  expect([worker.begin(3), main.revoke(3), main.current()]).toEqual([true, false, 3]);
  main.markSent(4);
  expect([main.revoke(4), worker.begin(4)]).toEqual([true, false]);
});

test("a route is learnt: unknown, then light or heavy, without flickering, and the first cold run is forgotten", () => {
  const cost = new RouteCost();
  expect(cost.kind).toBe("unknown");
  cost.record(20_000, false);
  cost.record(50, false);
  expect(cost.kind).toBe("light");
  for (let i = 0; i < 20; i++) cost.record(5000, false);
  expect(cost.kind).toBe("heavy");
  for (let i = 0; i < 100; i++) cost.record(700, false);
  expect(cost.kind).toBe("heavy");
  for (let i = 0; i < 100; i++) cost.record(100, false);
  expect(cost.kind).toBe("light");
});

test("a cost and whether it awaited fit in one number", () => {
  for (const us of [0, 1, 12_345]) {
    for (const async of [true, false]) {
      const packed = packCost(us, async);
      expect([costOf(packed), isAsync(packed)]).toEqual([us, async]);
    }
  }
});

test("Retry-After follows from what is queued and running and what that costs, 1 to 60 seconds", () => {
  const work = (queued: number, running: number, costUs: number) => ({ queued, running, cost: { costUs } });
  expect(retryAfterSeconds([work(0, 0, 100)], 4)).toBe(1);
  expect(retryAfterSeconds([work(900, 100, 10_000)], 2)).toBe(5);
  expect(retryAfterSeconds([work(5, 0, 100), work(10, 2, 1_000_000)], 2)).toBe(7);
  expect(retryAfterSeconds([work(1_000_000, 0, 10_000)], 0)).toBe(60);
});

test("starts are retried with growing pauses, and three failures in a row are failing", () => {
  const policy = new SpawnPolicy();
  const delays = [1, 2, 3, 4].map(() => policy.failedToStart());
  expect(delays).toEqual([100, 200, 400, 800]);
  expect(START_ATTEMPTS).toBe(3);
  expect(policy.failing).toBe(true);
  policy.started();
  expect(policy.failing).toBe(false);
});

test("threads that die are replaced at once, unless they die by the dozen", () => {
  const policy = new SpawnPolicy();
  const burst = Array.from({ length: 12 }, () => policy.died(1000));
  expect(burst).toEqual([...Array.from({ length: 10 }, () => 0), 100, 100]);
  expect(policy.died(1200)).toBe(0);
  const steady = Array.from({ length: 50 }, (_, i) => policy.died(3000 + i * 200));
  expect(steady.every((delay) => delay === 0)).toBe(true);
});

test.each(["users", "/a b", "/x/*/y", "/:a/:a", "/:a?/b", "/:1x", "/a*b"])("the path %s is refused", (path) => {
  expect(() => parsePath(path)).toThrow(/The path/);
});

test("queries and cookies come out as they went in, whatever their names", () => {
  const query = parseQuery("/x?a=1&a=2&__proto__=p&constructor=c&empty=&%E2%82%AC=%F0%9F%A6%86");
  expect(Object.getPrototypeOf(query)).toBeNull();
  expect({ ...query, __proto__: null }).toMatchObject({ a: ["1", "2"], constructor: "c", empty: "", "€": "🦆" });
  expect(parseCookies("a=1; b = 2 ;c; =d; e=%zz; f=%41")).toMatchObject({ a: "1", b: "2", e: "%zz", f: "A" });
});

test.each([
  ["the context's", (ctx: Ctx) => ctx.request.body, true],
  ["taken out of it", ({ request }: Ctx) => request.body, true],
  ["in a template", (ctx: Ctx) => `${ctx.request.body}`, true],
  ["beside the collected body", (ctx: Ctx) => [ctx.request.headers, ctx.body], false],
  ["only in a string", (ctx: Ctx) => [ctx.body, "no request", 'the "request"', `request ${ctx.url}`], false],
  ["a string, and a body nowhere", () => "your request is welcome", false],
  [
    "only in a comment",
    (ctx: Ctx) => {
      // The request is looked at later. /* it's */
      return ctx.url;
    },
    false,
  ],
  ["with a body in a comment", (ctx: Ctx) => /* not the body */ ctx.request, true],
  [
    "under a name",
    async (ctx: Ctx) => {
      const body = ctx.request.body;
      return body?.getReader();
    },
    true,
  ],
  [
    "taken out of the request",
    ({ request, url }: Ctx) => {
      const { body } = request;
      return [body, url];
    },
    true,
  ],
  [
    "handed on to another server",
    ({ request }: Ctx) => fetch("http://x", { method: "POST", body: request.body }),
    true,
  ],
  ["beside another one's body", (ctx: Ctx, other = { body: 1 }) => [ctx.request, other.body], true],
  ["beside the collected body, whatever the context is called", (it: Ctx) => [it.request.headers, it.body], false],
  ["beside the collected body, taken out", ({ request, body: sent }: Ctx) => [request.headers, sent], false],
  ["beside the collected body in the rest", ({ request, ...others }: Ctx) => [request.headers, others.body], false],
  [
    "beside the collected body, taken out later",
    function named($: Ctx) {
      const { request, body } = $;
      return [request.headers, body];
    },
    false,
  ],
])("whether a handler reads the request as a stream is read from its code: %s", (_what, handler, expected) => {
  expect(readsStream(handler)).toBe(expected);
});
