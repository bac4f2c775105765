import { MessageChannel } from "node:worker_threads";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { blockUntil, ownDoorbell } from "../src/future/doorbell.ts";
import { TaskFuture } from "../src/future/task-future.ts";
import { type TaskCall, task } from "../src/task/task.ts";
import { currentThread } from "../src/thread/identity.ts";
import { hasAnswers, mailed, mustWake, newAnswerRing, writeAnswer } from "../src/wire/answer-ring.ts";
import { isFlat, LOOK, type PostToWorker } from "../src/wire/messages.ts";
import { encodeTask } from "../src/worker/encoded-task.ts";
import { Host } from "../src/worker/host.ts";
import { Inbox } from "../src/worker/inbox.ts";
import { Submitter } from "../src/worker/submitter.ts";

const ran: unknown[] = [];
const note = task((what: unknown) => {
  ran.push(what);
});
const repeated = task((text: string, times: number) => text.repeat(times));
const listed = task((text: string) => [text]);
let before: TaskFuture<unknown> | undefined;
const standsStill = task(() => blockUntil({ done: () => before?.done === true, deadline: performance.now() + 1_000 }));

afterEach(() => void vi.restoreAllMocks());

test("an answer that is written between the last look and the rest is read, though nobody wakes for it", () => {
  const { port1, port2 } = new MessageChannel();
  const ring = newAnswerRing();
  const submitter = new Submitter(port1, ring);
  mustWake(ring); // the writer has sent its wake-up, and the reader comes to look
  writeAnswer(ring, 1, "early");
  const store = Atomics.store.bind(Atomics) as (...args: unknown[]) => number;
  let wakes: boolean | undefined;
  vi.spyOn(Atomics, "store").mockImplementation(((...args: unknown[]) => {
    if (wakes === undefined && args[0] === ring && args[2] === 1 && !hasAnswers(ring)) {
      wakes = false;
      writeAnswer(ring, 2, "late");
      wakes = mustWake(ring); // the reader does not rest yet, so the writer says nothing
    }
    return store(...args);
  }) as never);
  submitter.drain();
  expect(wakes).toBe(false);
  expect(hasAnswers(ring)).toBe(false);
  submitter.close();
  port2.close();
});

test("a wake-up that a blocking wait came upon is heeded, though the wait was over before its port was empty", () => {
  const { port1, port2 } = new MessageChannel();
  const ring = newAnswerRing();
  const submitter = new Submitter(port1, ring);
  writeAnswer(ring, 1, "first");
  if (mustWake(ring)) port2.postMessage(LOOK); // from now on the writer says nothing until the reader rests again
  port2.postMessage([]);
  submitter.drain({ done: () => true, deadline: 0 });
  expect(hasAnswers(ring)).toBe(false);
  writeAnswer(ring, 2, "second");
  expect(mustWake(ring)).toBe(true);
  submitter.close();
  port2.close();
});

/** Both ends of a port in this thread. `posts`: what crossed towards the worker. */
function playPort() {
  const { port1, port2 } = new MessageChannel();
  const [ring, bell] = [newAnswerRing(), ownDoorbell()];
  const submitter = new Submitter(port1, ring);
  const host = new Host("concurrent", {});
  const inbox = Inbox.onPort(1, port2, bell, ring);
  const posts: PostToWorker[] = [];
  inbox.serve(port2, (post) => {
    posts.push(post);
    host.receive(inbox, post);
  });
  const settings = { executor: "played", executorLabel: "played", keepAlive: false };
  const submit = <R>(call: TaskCall<R>): TaskFuture<R> => {
    const future = TaskFuture.open<R>(
      { ...settings, onCancel: (gone) => submitter.cancel(gone.callId, undefined), beforeBlocking: () => undefined },
      call,
      submit as never,
    );
    submitter.send(encodeTask(future as TaskFuture<unknown>, undefined));
    return future;
  };
  onTestFinished(() => {
    submitter.close();
    port2.close();
  });
  return { posts, submit };
}

test("a task that is alone crosses flat, and joined by others it keeps its place before them", async () => {
  const { posts, submit } = playPort();
  await submit(note("the first tells the worker the task"));
  await submit(note("alone"));
  expect(posts.map(isFlat)).toEqual([false, true]);
  ran.length = 0;
  await Promise.all([submit(note("a")), submit(note("b")), submit(note({ c: 1 })), submit(note("d"))]);
  expect(ran).toEqual(["a", "b", { c: 1 }, "d"]);
});

test("a task that is alone and is cancelled in the same turn does not run", async () => {
  const { submit } = playPort();
  await submit(note("known"));
  ran.length = 0;
  submit(note("cancelled")).cancel();
  await submit(note("next"));
  expect(ran).toEqual(["next"]);
});

/** Whoever submitted both may do what the second waits for only when it has the answer of the first. */
test("a task that stands still lets the answers before it leave, though they came in one message with it", async () => {
  const { posts, submit } = playPort();
  before = submit(listed("known"));
  await submit(standsStill());
  posts.length = 0;
  before = submit(listed("first"));
  expect(await submit(standsStill())).toBe(true);
  expect(posts).toHaveLength(1);
});

test("what is too large for the ring comes back flat and whole, text or object", async () => {
  const { submit } = playPort();
  expect(await submit(repeated("ü", 5_000))).toBe("ü".repeat(5_000));
  expect(await submit(listed("x"))).toEqual(["x"]);
});

test("an answer that could not be posted is not counted, and those behind it are taken", () => {
  const { port1, port2 } = new MessageChannel();
  const ring = newAnswerRing();
  const submitter = new Submitter(port1, ring);
  const inbox = Inbox.onPort(currentThread().id, port2, ownDoorbell(), ring);
  const open = (): TaskFuture<unknown> =>
    TaskFuture.open(
      { executor: "played", executorLabel: "played", keepAlive: false, onCancel: () => {}, beforeBlocking: () => {} },
      note("played"),
      open as never,
    );
  const [bad, good] = [open(), open()];
  inbox.answer(["ok", bad.callId, () => 1, undefined], []);
  inbox.flush();
  expect(mailed(ring)).toBe(1); // what is wrong with it
  submitter.drain();
  expect(bad.exception(0)).toMatchObject({ name: "DataNotCloneableError" });
  inbox.answer(["ok", good.callId, ["x"], undefined], []);
  inbox.flush();
  submitter.drain();
  expect(good.result(0)).toEqual(["x"]);
  submitter.close();
  port2.close();
});
