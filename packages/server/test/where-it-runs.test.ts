/** Which thread runs what: user code on request threads alone, and one that is held holds up nobody else. */
import { beforeEach, expect, test } from "vitest";
import { gate, start, until } from "./support/server.ts";

const [ENTERED, OPEN, , ABORTED] = [0, 1, 2, 3] as const;
const [IMPORTED_ON_MAIN, STOPPED, BEGUN] = [10, 11, 12] as const;
beforeEach(() => void gate.fill(0));
const open = (): void => {
  Atomics.store(gate, OPEN, 1);
  Atomics.notify(gate, OPEN);
};
const thread = async (url: string): Promise<{ kind: string; name: string }> =>
  (await (await fetch(url)).json()) as { kind: string; name: string };

test("handlers run on request threads, and main does not so much as import the app", async () => {
  const { at } = await start("surface.ts");
  expect(await thread(`${at}/whoami`)).toEqual({ kind: "request", name: expect.stringMatching(/^request-\d+$/) });
  expect(await thread(`${at}/whoami-async`)).toMatchObject({ kind: "request" });
  expect(gate[IMPORTED_ON_MAIN]).toBe(0);
});

test('a route that says run: "main" runs there, and the others of its app do not', async () => {
  const { at } = await start("surface-on-main.ts");
  expect(await thread(`${at}/main`)).toEqual({ kind: "main" });
  expect(await thread(`${at}/pool`)).toEqual({ kind: "request" });
});

test('a deadline holds for a run: "main" route that awaits, too', async () => {
  const server = await start("surface-on-main.ts");
  const response = await fetch(`${server.at}/main-late`);
  expect([response.status, await response.json()]).toEqual([
    504,
    expect.objectContaining({ detail: "GET /main-late took longer than 100 ms." }),
  ]);
  await until(() => server.lines.some((line) => line["msg"] === "told: TimeoutError"));
  expect(server.lines.filter((line) => line["path"] === "/main-late")).toEqual([
    expect.objectContaining({ status: 504, thread: "main", outcome: "timeout" }),
  ]);
  expect(await (await fetch(`${server.at}/main`)).json()).toEqual({ kind: "main" });
});

test('maxConcurrent holds for a run: "main" route, too: what waits is dropped with its client, refused in time, and bounded', async () => {
  const server = await start("surface-on-main.ts", { requestHandling: { maxQueue: 2 } });
  const ask = (ms: number, signal: AbortSignal | null = null): Promise<Response | "gone"> =>
    fetch(`${server.at}/main-alone?ms=${ms}`, { signal }).catch(() => "gone" as const);
  const status = async (answer: Promise<Response | "gone">): Promise<unknown> => ((await answer) as Response).status;
  for (const one of await Promise.all([ask(20), ask(20), ask(20)])) {
    expect(await (one as Response).json()).toEqual({ others: 0 });
  }
  const first = ask(1000);
  const leave = new AbortController();
  const leaving = ask(1, leave.signal);
  await until(() => server.stats().queued === 1);
  const waiting = ask(1);
  await until(() => server.stats().queued === 2);
  expect(await status(ask(1))).toBe(503);
  leave.abort();
  expect(await leaving).toBe("gone");
  await until(() => server.stats().queued === 1);
  // The first one goes on past its deadline, and has the room still.
  expect([await status(first), await status(waiting)]).toEqual([504, 503]);
  expect(server.lines.filter((line) => line["outcome"] !== undefined).map((line) => line["outcome"])).toEqual([
    "queue-full",
    "client-gone",
    "timeout",
    "queue-timeout",
  ]);
});

test('a server that closes finishes its run: "main" requests', async () => {
  const server = await start("surface-on-main.ts");
  let answered = false;
  const short = server.inject("/main-alone?ms=100").finally(() => {
    answered = true;
  });
  await new Promise((turn) => setImmediate(turn));
  expect(answered).toBe(false);
  expect(await server.close()).toEqual({ forced: false });
  expect((await short).statusCode).toBe(200);
});

test('what a run: "main" route has not answered when the server must end is answered with 503', async () => {
  const server = await start("surface-on-main.ts", { server: { shutdownTimeoutMs: 50 } });
  const [running, waiting] = [server.inject("/main-alone?ms=300"), server.inject("/main-alone?ms=1")];
  await until(() => server.stats().queued === 1);
  expect(await server.close()).toEqual({ forced: true });
  expect([(await running).statusCode, (await waiting).statusCode]).toEqual([503, 503]);
});

test('a run: "main" handler that never ends keeps no timer once the server is closed', async () => {
  // Told as it happened: its deadline, a minute away, kept a process whose server had been closed.
  const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
  const server = await start("surface-on-main.ts", { server: { shutdownTimeoutMs: 50 } });
  const before = timers();
  const never = server.inject("/main-never");
  await until(() => timers() > before);
  expect(await server.close()).toEqual({ forced: true });
  expect((await never).statusCode).toBe(503);
  await until(() => timers() <= before);
});

test.each(["waits", "computes", "runs a command"])(
  "while a handler that %s holds its thread, the other routes are answered as before",
  async (way) => {
    const server = await start("surface.ts", { requestHandling: { maxWorkers: 2 } });
    await until(() => server.stats().workers.ready === 2);
    let over = false;
    const held = thread(`${server.at}/hold/${way}`).finally(() => {
      over = true;
    });
    await until(() => gate[ENTERED] === 1);
    const others = new Set<string>();
    for (let i = 0; i < 50; i++) others.add((await thread(`${server.at}/whoami`)).name);
    const all = await Promise.all(Array.from({ length: 50 }, () => thread(`${server.at}/await/5`)));
    for (const { name } of all) others.add(name);
    expect(over).toBe(false);
    open();
    expect([...others]).not.toContain((await held).name);
  },
);

test("a handler that blocks is not put on a thread where others await", async () => {
  const server = await start("surface.ts", { requestHandling: { maxWorkers: 2 } });
  await until(() => server.stats().workers.ready === 2);
  // Once it is known that they await, they share one thread.
  for (let i = 0; i < 5; i++) await thread(`${server.at}/await/1`);
  gate.fill(0);
  // One: on a busy machine several may be on both threads.
  const awaiting = thread(`${server.at}/await/1000`);
  await until(() => gate[BEGUN] === 1);
  const held = thread(`${server.at}/hold/waits`);
  await until(() => gate[ENTERED] === 1);
  // The gate is shut: on that thread it would wait for ever.
  const { name } = await awaiting;
  open();
  expect((await held).name).not.toBe(name);
});

test("a client that goes away aborts the handler's signal", async () => {
  const { at } = await start("surface.ts");
  const leave = new AbortController();
  const answer = fetch(`${at}/leave`, { signal: leave.signal }).catch(() => "left");
  await until(() => gate[ENTERED] === 1);
  expect(gate[ABORTED]).toBe(0);
  leave.abort();
  expect(await answer).toBe("left");
  await until(() => gate[ABORTED] === 1);
});

test("onWorkerStop runs in each thread that is let go of, and not in one that has ended by itself", async () => {
  const server = await start("surface.ts", { requestHandling: { maxWorkers: 2 } });
  expect((await fetch(`${server.at}/exit`)).status).toBe(502);
  await until(() => server.stats().workers.ready === 2);
  expect(gate[STOPPED]).toBe(0);
  expect(await server.close()).toEqual({ forced: false });
  expect(gate[STOPPED]).toBe(2);
});
