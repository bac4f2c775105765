import { expect, test } from "vitest";
import { Generation } from "../src/engine/generation.ts";
import type { GenerationOptions } from "../src/engine/generation-options.ts";
import type { WorkerExit } from "../src/engine/host-pool.ts";
import type { FromWorker } from "../src/engine/wire.ts";
import { ReplyBatch } from "../src/engine/worker/reply-batch.ts";
import { fakeHostPool } from "./support/fake-host-pool.ts";

const logged: string[] = [];
const log = (level: string) => (_fields: object, message: string) => void logged.push(`${level} ${message}`);

function generation(more: Partial<GenerationOptions>): { generation: Generation; restarts: string[] } {
  logged.length = 0;
  const restarts: string[] = [];
  const made = new Generation({
    number: 1,
    hostPool: fakeHostPool([]),
    workerModule: "none",
    workerData: { app: "", plugins: [], development: false, logLevel: "info", idPrefix: "" },
    maxWorkers: 2,
    maxQueue: 10,
    timeoutMs: 1000,
    bodyLimitBytes: 1000,
    memoryLimitMb: 100,
    startTimeoutMs: 60_000,
    placements: [],
    log: { info: log("info"), warn: log("warn"), error: log("error") },
    receiveLog: () => undefined,
    onSettled: () => undefined,
    onRestart: (reason) => void restarts.push(reason),
    onKill: () => undefined,
    idOf: () => "id",
    ...more,
  } as GenerationOptions);
  return { generation: made, restarts };
}
const exit = (reason: WorkerExit["reason"], message: string): WorkerExit => ({
  reason,
  exitCode: 1,
  error: new Error(message),
});

test("a first worker that cannot start is the error of start(), at once and without a second try", async () => {
  const pool = fakeHostPool([{ dies: exit("error", "no such table") }]);
  const { generation: made } = generation({ hostPool: pool });
  await expect(made.start()).rejects.toThrow("A request thread could not start: no such table");
  expect(pool.spawned).toBe(1);
});

test("replacements that cannot start are retried with pauses; after three the server says once that it is not ready", async () => {
  const pool = fakeHostPool([{}, {}, ...Array.from({ length: 4 }, () => ({ dies: exit("error", "not now") })), {}]);
  const { generation: made } = generation({ hostPool: pool });
  await made.start();
  await pool.until(() => made.readyCount === 2);
  pool.kill(0, exit("exit", "gone"));
  await pool.until(() => made.failing);
  expect(logged.filter((line) => line.includes("three times in a row"))).toHaveLength(1);
  await pool.until(() => made.readyCount === 2);
  expect(made.failing).toBe(false);
  await made.close(0);
});

test("a worker that reports other routes than the first is not taken", async () => {
  const pool = fakeHostPool([{ routes: ["/a"] }, { routes: ["/b"] }]);
  const { generation: made } = generation({ hostPool: pool });
  await made.start();
  await pool.until(() => logged.some((line) => line.includes("other routes")));
  expect(made.readyCount).toBe(1);
  await made.close(0);
});

test("an answer to a GET may wait for the next one that is over at once, and for nothing else", () => {
  const posted: FromWorker[] = [];
  const batch = new ReplyBatch((message) => void posted.push(message));
  const reply = { status: 200, contentType: 0, headers: null, body: "x", stream: null } as const;
  batch.push(1, reply, 5, false, true, 0);
  batch.flushBefore(true, 0.1);
  expect(posted).toHaveLength(0);
  batch.flushBefore(false, 0.1);
  expect(posted).toHaveLength(1);
  batch.push(2, reply, 5, false, true, 0);
  batch.flushBefore(true, 1);
  expect(posted).toHaveLength(2);
  batch.push(3, reply, 5, false, false, 1);
  batch.flushBefore(true, 1);
  expect(posted).toHaveLength(3);
});

test("large answers cross in memory that is moved; small ones, and the handler's own bytes, stay where they are", () => {
  const posted: { message: FromWorker; moved: readonly ArrayBuffer[] }[] = [];
  const batch = new ReplyBatch((message, moved = []) => void posted.push({ message, moved }));
  const reply = (body: string | Uint8Array) =>
    ({ status: 200, contentType: 0, headers: null, body, stream: null }) as const;
  const bytes = new Uint8Array(100_000);
  batch.push(1, reply(bytes), 5, false, true, 0);
  batch.push(2, reply("x".repeat(100_000)), 5, false, true, 0);
  batch.push(3, reply("small"), 5, false, true, 0);
  batch.flush();
  expect(posted[0]?.moved.map((buffer) => buffer.byteLength)).toEqual([100_000, 100_000]);
  expect(posted[0]?.moved).not.toContain(bytes.buffer);
  batch.push(4, reply("small"), 5, false, true, 0);
  batch.flush();
  expect(posted[1]?.moved).toEqual([]);
});
