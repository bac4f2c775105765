/** A thread that submits to a pool, what it says and what it is told. The supervisor and the worker are played here. */
import { MessageChannel, receiveMessageOnPort, type Transferable } from "node:worker_threads";
import { currentThread, lineageLinks, newAnswerRing, type ThreadExit } from "@duck-ts/runtime/internal";
import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import * as board from "../src/board.ts";
import type { ToService } from "../src/protocol.ts";
import { ThreadPoolManager } from "../src/thread-pool-manager.ts";
import * as tasks from "./fixtures/tasks.mjs";
import { failure } from "./support/gates.ts";
import { quiet } from "./support/managers.ts";

const said = vi.hoisted(() => [] as unknown[]);

vi.mock("../src/service-client.ts", async (original) => ({
  ...(await original<object>()),
  tell: (message: unknown, transfer?: Transferable[]) =>
    void said.push(structuredClone(message, { transfer: (transfer ?? []) as never })),
  listenForWorkers: () => undefined,
}));

beforeEach(() => void said.splice(0));

const exit: ThreadExit = { reason: "exit", exitCode: 3 };

function play({ maxWorkers = 1 } = {}) {
  const [head, block] = [board.newHead(), board.newBlock()];
  const owner = lineageLinks(currentThread());
  const key = `played:${Math.random()}`;
  const pool = ThreadPoolManager.make({ key, kind: "thread", id: "played", owner, head });
  pool.start({ maxWorkers, daemon: true });
  const { port1, port2 } = new MessageChannel();
  const links = [{ id: 77, name: "played-1", kind: "pool" }, ...owner] as const;
  pool.connected({ op: "connect", key, worker: 1, port: port1, answers: newAnswerRing(), block, seat: 0, links });
  Atomics.store(block, board.PLACE, board.FREE);
  onTestFinished(() => {
    port1.close();
    port2.close();
  });
  return {
    pool,
    head,
    block,
    sent: () => receiveMessageOnPort(port2)?.message as unknown[] | undefined,
    /** What was put into the queue since it was last asked: for each message how many tasks, and whether again. */
    queued: () =>
      (said.splice(0) as ToService[]).flatMap((message) =>
        message.op === "submit" ? [{ tasks: message.tasks.length, again: message.again === true }] : [],
      ),
    heardOf: (op: ToService["op"]) => (said as ToService[]).filter((message) => message.op === op).length,
    dies: () => pool.gone({ op: "gone", key, worker: 1, exit, links }),
  };
}

test("a free worker is not taken while another's task waits in the queue", async () => {
  const { pool, head, block, sent, queued } = play();
  Atomics.store(head, board.QUEUED, 1);
  const future = pool.submitTask(tasks.nothing, quiet);
  await null;
  expect([sent(), block[board.PLACE], queued()]).toEqual([undefined, board.FREE, [{ tasks: 1, again: false }]]);
  future.cancel();
});

test("a worker that becomes free in the turn of a submission does not let the second task overtake the first", async () => {
  const { pool, block, sent, queued } = play({ maxWorkers: 2 });
  Atomics.store(block, board.PLACE, board.HELD);
  const first = pool.submitTask(tasks.nothing, quiet);
  Atomics.store(block, board.PLACE, board.FREE);
  const second = pool.submitTask(tasks.nothing, quiet);
  await null;
  expect([sent(), queued()]).toEqual([undefined, [{ tasks: 2, again: false }]]);
  for (const future of [first, second]) future.cancel();
});

test("a task that cannot be sent gives the place back, and has the supervisor look whom it kept waiting", async () => {
  const { pool, head, block, heardOf } = play();
  const future = pool.submitTask(tasks.echo({ fn: () => 1 }), quiet);
  expect(await failure(future)).toMatchObject({ name: "DataNotCloneableError" });
  expect([block[board.PLACE], head[board.OUTSTANDING], heardOf("poke")]).toEqual([board.FREE, 0, 1]);
});

test("of a worker that died before it began them, tasks go back, in their order; one whose argument was moved there is lost", async () => {
  const { pool, head, queued, dies } = play();
  const bytes = new Uint8Array(4);
  const moved = pool.submitTask(tasks.doublesBytes(bytes), { ...quiet, transfer: [bytes.buffer] });
  const behind = [1, 2].map((n) => pool.submitTask(tasks.echo(n), quiet));
  await null;
  dies();
  expect(await failure(moved)).toMatchObject({ name: "WorkerCrashedError", exitCode: 3 });
  expect(queued()).toEqual([{ tasks: 2, again: true }]);
  expect([head[board.OUTSTANDING], head[board.QUEUED]]).toEqual([2, 2]);
  for (const future of behind) future.cancel();
});

test("of a worker of a run that is over, what had not begun is cancelled, and no later run is told of it", async () => {
  const { pool, head, queued, dies } = play();
  const future = pool.submitTask(tasks.echo(1), quiet);
  await null;
  Atomics.add(head, board.EPOCH, 1); // it has stopped meanwhile
  dies();
  expect(await failure(future)).toMatchObject({ name: "TaskCancelledError" });
  expect([queued(), head[board.OUTSTANDING]]).toEqual([[], 0]);
});

test("what cannot be sent again, since it has changed, fails alone; and the supervisor waits for nothing more", async () => {
  const { pool, head, queued, dies } = play();
  const argument: Record<string, unknown> = {};
  const changed = pool.submitTask(tasks.echo(argument), quiet);
  const behind = pool.submitTask(tasks.echo(2), quiet);
  await null;
  Object.assign(argument, { fn: () => 1 });
  dies();
  expect(await failure(changed)).toMatchObject({ name: "DataNotCloneableError" });
  expect(queued()).toEqual([
    { tasks: 1, again: false },
    { tasks: 0, again: true },
  ]);
  expect([head[board.OUTSTANDING], head[board.QUEUED]]).toEqual([1, 1]);
  behind.cancel();
});

test("whoever takes the last task back from a pool that stops has the supervisor look", async () => {
  const { pool, head, heardOf } = play();
  const future = pool.submitTask(tasks.echo(1), quiet);
  await null;
  Atomics.store(head, board.STATE, board.STOPPING);
  future.cancel();
  expect([head[board.OUTSTANDING], head[board.CANCELLED], heardOf("poke")]).toEqual([0, 1, 1]);
});

test("of tasks withdrawn from a place that the supervisor holds the last one has the worker look: only that can free it", async () => {
  const { pool, block, sent } = play();
  Atomics.store(block, board.PLACE, board.HELD);
  const [first, last] = [pool.submitTask(tasks.echo(1), quiet), pool.submitTask(tasks.echo(2), quiet)];
  await null;
  expect(sent()).toBeDefined(); // both joined what runs there
  first.cancel();
  expect([sent(), board.hasDirect(block)]).toEqual([undefined, true]);
  last.cancel();
  expect([sent(), block[board.PLACE]]).toEqual([[["cancel", last.callId, undefined]], board.HELD]);
});

test("where the worker still runs something, a withdrawal says nothing to it: it looks by itself", async () => {
  const { pool, block, sent } = play();
  Atomics.store(block, board.PLACE, board.HELD);
  Atomics.store(block, board.RUN_STATE, board.RUN_RUNNING);
  const future = pool.submitTask(tasks.echo(1), quiet);
  await null;
  sent();
  future.cancel();
  expect(sent()).toBeUndefined();
});
