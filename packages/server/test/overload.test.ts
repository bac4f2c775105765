import { beforeEach, expect, test } from "vitest";
import { gate, start, until } from "./support/server.ts";

const [ENTERED, OPEN, RUNS] = [0, 1, 2] as const;
beforeEach(() => void gate.fill(0));
const open = (): void => {
  Atomics.store(gate, OPEN, 1);
  Atomics.notify(gate, OPEN);
};

test("a full queue is a 503 with Retry-After, at once, and what was queued is answered", async () => {
  const server = await start("faults.ts", { requestHandling: { maxWorkers: 1, maxQueue: 3 } });
  const held = fetch(`${server.at}/block`);
  await until(() => gate[ENTERED] === 1);
  const queued = [1, 2, 3].map(() => fetch(`${server.at}/quick`));
  await until(() => server.stats().queued === 3);
  const refused = await fetch(`${server.at}/quick`);
  expect(refused.status).toBe(503);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
  expect(refused.headers.get("content-type")).toContain("problem+json");
  open();
  expect((await held).status).toBe(200);
  for (const one of queued) expect((await one).status).toBe(200);
});

test("what waits longer than its timeoutMs for a thread gets 503", async () => {
  const server = await start("faults.ts", { requestHandling: { maxWorkers: 1, timeoutMs: 300 } });
  const kept = fetch(`${server.at}/native-kept`);
  const others = await Promise.all([1, 2].map(() => fetch(`${server.at}/block`)));
  // The 504 of one that got a thread, or the 503 of one that did not: never nothing.
  for (const other of others) expect([503, 504]).toContain(other.status);
  await kept;
  open();
});

test("queued requests of clients that have gone are dropped", async () => {
  const server = await start("faults.ts", { requestHandling: { maxWorkers: 1 } });
  const held = fetch(`${server.at}/block`);
  await until(() => gate[ENTERED] === 1);
  const controller = new AbortController();
  const queued = [1, 2, 3].map(() =>
    fetch(`${server.at}/wait/1`, { signal: controller.signal }).catch(() => undefined),
  );
  await until(() => server.stats().queued === 3);
  controller.abort();
  await Promise.all(queued);
  await until(() => server.stats().queued === 0);
  open();
  await held;
  expect((await fetch(`${server.at}/quick`)).status).toBe(200);
  expect(gate[RUNS]).toBe(0);
});

test("maxConcurrent bounds a route, and the others go by", async () => {
  const server = await start("faults.ts");
  const all = await Promise.all(Array.from({ length: 10 }, () => fetch(`${server.at}/one-at-a-time`)));
  for (const one of all) expect(await one.json()).toEqual({ others: 0 });
});

test("what waits under maxConcurrent keeps no thread from others, is dropped with its client, and moves up in turn", async () => {
  const server = await start("faults.ts", { requestHandling: { maxWorkers: 1 } });
  const first = fetch(`${server.at}/held-alone`);
  await until(() => gate[ENTERED] === 1);
  const controller = new AbortController();
  const leaving = fetch(`${server.at}/held-alone`, { signal: controller.signal }).catch(() => "gone");
  await until(() => server.stats().queued === 1);
  const last = fetch(`${server.at}/held-alone`);
  await until(() => server.stats().queued === 2);
  // The only thread is free for others while the first one awaits.
  expect((await fetch(`${server.at}/quick`)).status).toBe(200);
  controller.abort();
  expect(await leaving).toBe("gone");
  await until(() => server.stats().queued === 1);
  expect(gate[ENTERED]).toBe(1);
  open();
  expect([(await first).status, (await last).status]).toEqual([200, 200]);
  expect(gate[ENTERED]).toBe(2);
});

test("Retry-After says how long what is queued takes as measured, whatever the refused request itself would take", async () => {
  const server = await start("faults.ts", { requestHandling: { maxWorkers: 1, maxQueue: 10 } });
  await fetch(`${server.at}/quick`);
  for (let i = 0; i < 2; i++) await fetch(`${server.at}/busy/300`);
  const held = fetch(`${server.at}/block`);
  await until(() => gate[ENTERED] === 1);
  const queued = Array.from({ length: 10 }, () => fetch(`${server.at}/busy/1`));
  await until(() => server.stats().queued === 10);
  const refused = await fetch(`${server.at}/quick`);
  expect(refused.status).toBe(503);
  // Ten that took 300 ms before, on one thread.
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThanOrEqual(3);
  open();
  for (const one of [held, ...queued]) expect((await one).status).toBe(200);
});

test("health, readiness and metrics answer while every thread is blocked", async () => {
  const server = await start("faults.ts", { requestHandling: { maxWorkers: 2 } });
  await until(() => server.stats().workers.ready === 2);
  const held = [fetch(`${server.at}/block`), fetch(`${server.at}/block`)];
  await until(() => gate[ENTERED] === 2);
  for (const path of ["/healthz", "/readyz", "/metrics"]) {
    const response = await fetch(server.at + path);
    expect([path, response.status]).toEqual([path, 200]);
  }
  open();
  for (const one of held) expect((await one).status).toBe(200);
});

test("an async route whose first run was slow is not taken for one that blocks: its requests share threads at once", async () => {
  // Told as it happened: the cold first run took the thread for long, so the route counted as heavy and each request got
  // a thread set aside; the worker had stopped saying that they await, and 64 of them ran one after the other.
  const server = await start("faults.ts", { requestHandling: { maxWorkers: 2 } });
  const all = Array.from({ length: 64 }, () => fetch(`${server.at}/slow-then-wait`));
  await until(() => gate[RUNS] === 64, 3000);
  open();
  for (const one of all) expect((await one).status).toBe(200);
});

test("many async requests share few threads while they await", async () => {
  const server = await start("faults.ts", { requestHandling: { maxWorkers: 2 } });
  const all = Array.from({ length: 200 }, () => fetch(`${server.at}/slow-then-wait`));
  await until(() => gate[RUNS] === 200); // all at once, in two threads
  open();
  for (const one of all) expect((await one).status).toBe(200);
});
