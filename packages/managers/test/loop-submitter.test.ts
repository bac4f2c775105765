/** A thread that submits to a loop, what it says and what it is told. The supervisor and the loop's thread are played here. */
import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import {
  type AnswerRing,
  currentThread,
  Inbox,
  lineageLinks,
  ownDoorbell,
  type ThreadExit,
} from "@duck-ts/runtime/internal";
import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import * as board from "../src/board.ts";
import { LoopManager } from "../src/loop-manager.ts";
import type { ToService } from "../src/protocol.ts";
import * as tasks from "./fixtures/tasks.mjs";
import { failure } from "./support/gates.ts";
import { quiet } from "./support/managers.ts";

const said = vi.hoisted(() => [] as unknown[]);

vi.mock("../src/service-client.ts", async (original) => ({
  ...(await original<object>()),
  tell: (message: unknown) => void said.push(message),
  listenForWorkers: () => undefined,
}));

beforeEach(() => void said.splice(0));

const exit: ThreadExit = { reason: "exit", exitCode: 3 };

function play() {
  const head = board.newHead();
  const owner = lineageLinks(currentThread());
  const key = `played:${Math.random()}`;
  const loop = LoopManager.make({ key, kind: "loop", id: "played", owner, head });
  loop.start({ daemon: true });
  const ports: MessagePort[] = [];
  onTestFinished(() => {
    for (const port of ports) port.close();
  });
  return {
    loop,
    head,
    /** How it has connected with the loop's thread since it was last asked. */
    connected(): { port: MessagePort; answers: AnswerRing; words: board.Words } | undefined {
      const connect = (said.splice(0) as ToService[]).find(({ op }) => op === "connect");
      if (connect?.op !== "connect") return undefined;
      ports.push(connect.port);
      return connect;
    },
    comesUp: () => loop.up({ op: "up", key, links: [{ id: 77, name: "played", kind: "loop" }, ...owner] }),
    dies: () => loop.gone({ op: "gone", key, worker: 0, exit, links: [] }),
  };
}

const sent = (port: MessagePort): number => (receiveMessageOnPort(port)?.message as unknown[] | undefined)?.length ?? 0;

test("what was sent after the supervisor had closed a dead thread's books is counted once, and runs in the next", async () => {
  const { loop, head, connected, dies } = play();
  const begun = loop.submitTask(tasks.echo(1), quiet);
  await null;
  const first = connected();
  if (first === undefined) throw new Error("it has not connected");
  Atomics.store(first.words, board.PORT_BEGUN, 1);
  const { begun: lost, waiting } = board.closePort(first.words);
  Atomics.sub(head, board.OUTSTANDING, lost + waiting);
  const late = loop.submitTask(tasks.echo(2), quiet); // the news has not come yet
  dies();
  expect(await failure(begun)).toMatchObject({ name: "WorkerCrashedError", exitCode: 3 });
  const next = connected();
  expect([sent(next?.port as MessagePort), head[board.OUTSTANDING]]).toEqual([1, 1]);
  late.cancel();
});

test("an answer that a thread had sent before it ended counts, though it is read after the news of its end", async () => {
  const { loop, connected, dies } = play();
  const future = loop.submitTask(tasks.echo(1), quiet);
  await null;
  const first = connected();
  if (first === undefined) throw new Error("it has not connected");
  const inbox = Inbox.onPort(currentThread().id, first.port, ownDoorbell(), first.answers);
  inbox.answer(["ok", future.callId, "in time", undefined], []);
  inbox.flush();
  Atomics.store(first.words, board.PORT_BEGUN, 1);
  board.closePort(first.words);
  dies();
  expect(await future).toBe("in time");
});

test("a task past its time, which may never be answered, is not remembered", async () => {
  const { loop, connected, comesUp } = play();
  const [late, other] = [1_000, undefined].map((timeoutMs) =>
    loop.submitTask(tasks.echo(1), timeoutMs === undefined ? quiet : { ...quiet, timeoutMs }),
  );
  await null;
  connected();
  late?.fail(new Error("past its time"));
  await null;
  comesUp(); // whoever is remembered hears of the thread
  expect([late?.worker, other?.worker?.id]).toEqual([null, 77]);
  other?.cancel();
});
