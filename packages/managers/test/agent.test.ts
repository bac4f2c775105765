/**
 * A pool's worker at its edges: a real thread, whose supervisor and submitters are played here, and which can be held
 * between two of its steps (fixtures/played-agent.mjs).
 */
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import type { TaskCall, TaskFuture } from "@duck-ts/runtime";
import { encodeTask, type FromWorker, newAnswerRing, newThreadBell, type RunMessage } from "@duck-ts/runtime/internal";
import { expect, onTestFinished, test } from "vitest";
import * as board from "../src/board.ts";
import type { AgentTask, FromAgent, ToAgent } from "../src/protocol.ts";
import { RING_BEGUN, RING_TAKEN_BACK } from "../src/protocol.ts";
import * as tasks from "./fixtures/tasks.mjs";
import { eventually, newGate, newWords, open, reached } from "./support/gates.ts";

const OUTSIDER = 500;

function message(callId: number, call: TaskCall<unknown>): RunMessage {
  return encodeTask({ callId, call } as TaskFuture<unknown>, undefined).message;
}

async function playAgent({ isOnly = false } = {}) {
  const [head, block] = [board.newHead(), board.newBlock()];
  const { port1: line, port2: lineThere } = new MessageChannel();
  const { port1: control, port2: controlThere } = new MessageChannel();
  const stop = newWords(3);
  const identity = { name: "played", kind: "pool", ancestors: [{ id: 0, name: "main", kind: "main" }] } as const;
  const worker = new Worker(new URL("./fixtures/played-agent.mjs", import.meta.url), {
    workerData: {
      agent: new URL("../dist/pool/agent.js", import.meta.url).href,
      stop,
      data: {
        ...{
          identity,
          line: lineThere,
          bell: newThreadBell(),
          control: controlThere,
          key: "0:thread:1",
          head,
          block,
          isOnly,
        },
        ...{ workerInit: undefined, memoryLimitMb: Number.POSITIVE_INFINITY },
      },
    },
    transferList: [lineThere, controlThere],
  });
  const said: FromAgent[] = [];
  control.on("message", (heard: FromAgent) => said.push(heard));
  const ports: MessagePort[] = [];
  onTestFinished(async () => {
    for (const port of [line, control, ...ports]) port.close();
    await worker.terminate();
  });
  const heard = (t: FromAgent["t"]) => said.filter((one) => one.t === t);
  await eventually(() => heard("ready").length === 1, "the worker to be up");
  const tell = (told: ToAgent, transfer: readonly MessagePort[] = []) => control.postMessage(told, transfer as never);
  let tickets = 0;
  return {
    head,
    block,
    said,
    heard,
    tell,
    word: (index: number) => Atomics.load(head, index),
    place: () => board.stateOf(Atomics.load(block, board.PLACE)),
    free: () => Atomics.store(block, board.PLACE, board.FREE),
    /** The event loop over there has turned since. */
    async turns(): Promise<void> {
      const before = heard("pong").length;
      tell({ t: "ping", from: OUTSIDER, callId: 0 });
      await eventually(() => heard("pong").length > before, "an answer");
    },
    /** The supervisor gives it a task. */
    gives(callId: number, call: TaskCall<unknown>, { beside = false } = {}): AgentTask {
      const ticket = tickets++;
      const task = { from: OUTSIDER, message: message(callId, call), ring: beside ? -1 : ticket, open: ticket, beside };
      if (!beside) {
        Atomics.store(block, ticket, ticket);
        Atomics.add(head, board.AHEAD, 1);
        Atomics.add(head, board.OUTSTANDING, 1);
      }
      return task;
    },
    /** Connects a submitter. `sends` counts and sends; `takes` only takes or joins the place, as if it died before it sent. */
    connect(from: number, seat: number) {
      const { port1: port, port2 } = new MessageChannel();
      ports.push(port);
      const answers: FromWorker[] = [];
      port.on("message", (batch: readonly FromWorker[] | 0) => {
        if (batch !== 0) answers.push(...batch);
      });
      tell({ t: "connect", from, port: port2, bell: newWords(2), answers: newAnswerRing(), seat }, [port2]);
      const words = newWords(1024);
      let orders = 0;
      const takes = (): boolean => {
        if (!board.takePlace(block, seat) && !board.joinPlace(block, seat, 100)) return false;
        Atomics.add(head, board.OUTSTANDING, 1);
        return true;
      };
      return {
        answers,
        takes,
        sends(callId: number, call: TaskCall<unknown>): void {
          expect(takes()).toBe(true);
          const claims = { from: orders, blocks: orders === 0 ? [[0, words]] : [] };
          orders += 1;
          port.postMessage([[...message(callId, call).slice(0, 7), claims]]);
        },
        cancels: (callId: number) => port.postMessage([["cancel", callId, undefined]]),
        dies: () => port.close(),
      };
    },
    /** Holds the thread before the step in which it writes `to` into that word of its block. */
    stopBefore(index: number, to: number): void {
      [stop[1], stop[2]] = [index, to];
      Atomics.store(stop, 0, 1);
    },
    stopped: () => eventually(() => Atomics.load(stop, 0) === 2, "the thread to come to that step"),
    goOn(): void {
      Atomics.store(stop, 0, 3);
      Atomics.notify(stop, 0);
    },
  };
}

test("what a dead submitter has sent and the worker has in hand does not begin any more", async () => {
  const agent = await playAgent();
  agent.free();
  const submitter = agent.connect(7, 0);
  const [begun, gate, counter] = [newGate(), newGate(), newWords(1)];
  submitter.sends(1, tasks.holds(begun, gate, 1));
  for (const callId of [2, 3]) submitter.sends(callId, tasks.counts(counter));
  await reached(begun);
  Atomics.store(agent.block, board.GONE_SEAT, 1); // the supervisor knows; the worker stands in the first task
  open(gate);
  await eventually(() => agent.word(board.OUTSTANDING) === 0, "nothing to be left");
  expect([counter[0], agent.word(board.COMPLETED), agent.word(board.CANCELLED)]).toEqual([0, 1, 2]);
  await eventually(() => agent.place() === board.FREE, "the place to be free");
});

test("nor where the worker itself has seen that submitter's port close", async () => {
  const agent = await playAgent();
  agent.free();
  const submitter = agent.connect(7, 0);
  const other = agent.connect(8, 1);
  const [begun, gate, counter] = [newGate(), newGate(), newWords(1)];
  submitter.sends(1, tasks.holdsTurning(begun, gate, 1));
  for (const callId of [2, 3]) submitter.sends(callId, tasks.counts(counter));
  await reached(begun);
  await agent.turns(); // it has the other two in hand
  submitter.dies();
  other.dies();
  await eventually(() => agent.heard("left").length > 0, "the second to have left");
  // The number of the first is not given to another while tasks of it stand before the worker.
  expect(agent.heard("left")).toEqual([{ t: "left", seat: 1 }]);
  open(gate);
  await eventually(() => agent.heard("left").length === 2, "the first to have left too");
  expect([counter[0], agent.word(board.COMPLETED), agent.word(board.CANCELLED)]).toEqual([0, 1, 2]);
  await eventually(() => agent.place() === board.FREE, "the place to be free");
  expect(agent.word(board.OUTSTANDING)).toBe(0);
});

test("a submitter that gets a dead one's number has its tasks run", async () => {
  const agent = await playAgent();
  agent.free();
  agent.connect(7, 0).dies();
  await eventually(() => agent.heard("left").length === 1, "it to have left");
  Atomics.store(agent.block, board.GONE_SEAT, 1);
  const next = agent.connect(8, 0);
  const counter = newWords(1);
  await agent.turns();
  next.sends(1, tasks.counts(counter));
  await eventually(() => agent.word(board.OUTSTANDING) === 0, "the task to be over");
  expect(counter[0]).toBe(1);
});

test("a place that was taken by a submitter that died before it sent anything is given back", async () => {
  const agent = await playAgent();
  agent.free();
  const submitter = agent.connect(7, 0);
  await agent.turns();
  expect([submitter.takes(), submitter.takes()]).toEqual([true, true]);
  submitter.dies();
  await eventually(() => agent.place() === board.FREE, "the place to be free");
  expect([agent.word(board.OUTSTANDING), agent.word(board.CANCELLED)]).toEqual([0, 2]);
});

test("and where it had sent some, when those have ended", async () => {
  const agent = await playAgent();
  agent.free();
  const submitter = agent.connect(7, 0);
  const other = agent.connect(8, 1);
  const [begun, gate] = [newGate(), newGate()];
  submitter.sends(1, tasks.holdsTurning(begun, gate, 1));
  expect(submitter.takes()).toBe(true);
  await reached(begun);
  submitter.dies();
  other.dies();
  await eventually(() => agent.heard("left").length > 0, "both ports to be closed");
  open(gate);
  await eventually(() => agent.place() === board.FREE, "the place to be free");
  expect([agent.word(board.COMPLETED), agent.word(board.CANCELLED), agent.word(board.OUTSTANDING)]).toEqual([1, 1, 0]);
});

test("a pool's only worker begins what the supervisor has given, and is still to come, before what it was sent", async () => {
  const agent = await playAgent({ isOnly: true });
  const submitter = agent.connect(7, 0);
  const order = newWords(3);
  const given = agent.gives(1, tasks.notes(order, 1)); // counted, and not here yet
  submitter.sends(2, tasks.notes(order, 2));
  await agent.turns();
  agent.tell({ t: "run", tasks: [given] });
  await eventually(() => order[0] === 2, "both to have run");
  expect([...order]).toEqual([2, 1, 2]);
});

test("a pool that stops without waiting has what was sent ahead refused, counted and told", async () => {
  const agent = await playAgent();
  agent.free();
  const submitter = agent.connect(7, 0);
  const counter = newWords(1);
  Atomics.store(agent.block, board.REFUSING, 1);
  submitter.sends(1, tasks.counts(counter));
  await eventually(() => submitter.answers.length === 1, "it to be told");
  expect(submitter.answers[0]?.slice(0, 2)).toEqual(["failed", 1]);
  expect([counter[0], agent.block[board.REFUSED], agent.word(board.CANCELLED)]).toEqual([0, 1, 1]);
});

test("a worker that became free while a task was on its way to it is nobody's to take once it has that", async () => {
  const agent = await playAgent();
  const [begun, gate] = [newGate(), newGate()];
  const task = agent.gives(1, tasks.holds(begun, gate, 1));
  agent.free();
  agent.tell({ t: "run", tasks: [task] });
  await reached(begun);
  expect(agent.place()).toBe(board.HELD);
  open(gate);
});

test("the turn of a task is taken before the claim to it: a thread that dies in between leaves a task that can be taken back", async () => {
  const agent = await playAgent();
  const counter = newWords(1);
  const task = agent.gives(9, tasks.counts(counter));
  agent.stopBefore(task.ring, RING_BEGUN);
  agent.tell({ t: "run", tasks: [task] });
  await agent.stopped();
  expect([agent.block[board.RUN_THREAD], agent.block[board.RUN_CALL]]).toEqual([OUTSIDER, 9]);
  expect([agent.block[board.RUN_STATE], agent.word(board.ACTIVE)]).toEqual([board.RUN_RUNNING, 1]);
  // It is taken back in this very moment: the worker gives the turn back too.
  expect(Atomics.compareExchange(agent.block, task.ring, task.open, RING_TAKEN_BACK)).toBe(task.open);
  Atomics.sub(agent.head, board.AHEAD, 1);
  agent.goOn();
  await eventually(() => agent.block[board.RUN_STATE] === board.RUN_NONE, "the turn to be given back");
  await agent.turns();
  expect([counter[0], agent.word(board.ACTIVE), agent.word(board.COMPLETED)]).toEqual([0, 0, 0]);
});

test("a task that is joined to a place in the moment in which the worker gives that up keeps it", async () => {
  const agent = await playAgent();
  agent.free();
  const submitter = agent.connect(7, 0);
  await agent.turns();
  agent.stopBefore(board.PLACE, board.FREE);
  submitter.sends(1, tasks.nothing());
  await agent.stopped();
  expect(submitter.takes()).toBe(true); // it will send now
  agent.goOn();
  await agent.turns();
  expect([agent.place(), board.tasksBefore(Atomics.load(agent.block, board.PLACE))]).toEqual([board.TAKEN, 1]);
});

test("a task that is queued in the moment in which a worker becomes free finds it, or is found by it", async () => {
  const agent = await playAgent();
  agent.free();
  const submitter = agent.connect(7, 0);
  await agent.turns();
  agent.stopBefore(board.PLACE, board.FREE);
  submitter.sends(1, tasks.nothing());
  await agent.stopped();
  Atomics.add(agent.head, board.QUEUED, 1);
  expect(board.movePlace(agent.block, board.FREE, board.HELD)).toBe(false); // the supervisor finds no free worker
  agent.goOn();
  await eventually(() => agent.heard("free").length === 1, "the worker to say that it is free");
  expect(agent.place()).toBe(board.HELD);
});

test("the end of a task that the supervisor has counted as lost is not counted again", async () => {
  const agent = await playAgent();
  const [begun, gate] = [newGate(), newGate()];
  agent.tell({ t: "run", tasks: [agent.gives(1, tasks.holds(begun, gate, 1))] });
  await reached(begun);
  // The thread was given up, and is not dead yet.
  expect(Atomics.compareExchange(agent.block, board.RUN_STATE, board.RUN_RUNNING, board.RUN_COUNTED)).toBe(
    board.RUN_RUNNING,
  );
  Atomics.sub(agent.head, board.OUTSTANDING, 1);
  open(gate);
  await agent.turns();
  expect([agent.word(board.COMPLETED), agent.word(board.OUTSTANDING)]).toEqual([0, 0]);
});

test("the answer of a task that ran beside another leaves before the word that it has ended", async () => {
  const agent = await playAgent();
  agent.tell({ t: "run", tasks: [agent.gives(1, tasks.echo({ n: 1 }), { beside: true })] });
  await eventually(() => agent.heard("besideEnded").length === 1, "its end");
  expect(agent.said.map(({ t }) => t).filter((t) => t === "answers" || t === "besideEnded")).toEqual([
    "answers",
    "besideEnded",
  ]);
});

test("a task that is cancelled while the worker has it in hand never begins", async () => {
  const agent = await playAgent();
  agent.free();
  const submitter = agent.connect(7, 0);
  const [begun, gate, counter] = [newGate(), newGate(), newWords(1)];
  submitter.sends(1, tasks.holdsTurning(begun, gate, 1));
  submitter.sends(2, tasks.counts(counter));
  await reached(begun);
  submitter.cancels(2);
  await agent.turns();
  open(gate);
  await eventually(() => agent.word(board.OUTSTANDING) === 0, "nothing to be left");
  expect([counter[0], agent.word(board.CANCELLED)]).toEqual([0, 1]);
});

test("a worker that is asked to look, as a task before it was withdrawn, gives up a place that nothing is left in", async () => {
  const agent = await playAgent();
  agent.free();
  const submitter = agent.connect(7, 0);
  await agent.turns();
  Atomics.store(agent.block, board.PLACE, board.HELD);
  submitter.cancels(1);
  await eventually(() => agent.place() === board.FREE, "the place to be free");
});
