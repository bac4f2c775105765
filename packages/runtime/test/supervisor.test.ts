import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { BroadcastChannel, MessageChannel } from "node:worker_threads";
import { expect, test } from "vitest";
import { newDoorbell } from "../src/future/doorbell.ts";
import { Supervisor, type ThreadRecord } from "../src/supervisor/supervisor.ts";
import { broadcastNames } from "../src/supervisor/wires.ts";
import { currentThread } from "../src/thread/identity.ts";

// The story: a raw Worker greets over a channel that all share, its parent tells of its end over its own line, and
// nothing keeps these in order. Read the other way round, the dead thread stayed for ever, with all that it owned.
test("a foreign thread that has ended before its greeting was read is no more", async () => {
  const root = { id: `test-${process.pid}`, words: new Int32Array(new SharedArrayBuffer(64)) };
  const supervisor = new Supervisor(root, currentThread(), []);
  const main = { id: 0, name: "main", kind: "main" } as const;
  const { port1: line, port2: parent } = new MessageChannel();
  const record = supervisor.adopt(line, newDoorbell(), [main]);
  const names = broadcastNames(root.id);
  const [hello, other] = [new BroadcastChannel(names.hello), new BroadcastChannel(names.hello)];
  try {
    const links = [{ id: 5, name: "worker-5", kind: "foreign" } as const, main];
    const read = new Promise((resolve) => {
      other.onmessage = resolve;
    });
    hello.postMessage({ links, bell: newDoorbell() });
    parent.postMessage({ t: "gone", id: 5, exit: { reason: "terminated", exitCode: 1 } });
    record.drain(); // its parent is heard first
    await read;
    await new Promise(setImmediate); // whoever had not read the greeting has by now
    expect(supervisor.thread(5)).toBeUndefined();
  } finally {
    hello.close();
    other.close();
    record.close();
  }
});

// The story: a raw Worker that ends says so itself, on the channel that all share, and its parent says so too. Hearing the
// one, the supervisor reads what is left on the channels of the thread, and finds the other there.
test("the end of a foreign thread that is told twice is an end once", async () => {
  const root = { id: `test-twice-${process.pid}`, words: new Int32Array(new SharedArrayBuffer(64)) };
  const supervisor = new Supervisor(root, currentThread(), []);
  const main = { id: 0, name: "main", kind: "main" } as const;
  const { port1: line, port2: parent } = new MessageChannel();
  const record = supervisor.adopt(line, newDoorbell(), [main]);
  const service = new URL("./fixtures/services/counts-the-gone.cjs", import.meta.url).href;
  const { gone } = createRequire(import.meta.url)(fileURLToPath(service)) as { gone: number[] };
  const hello = new BroadcastChannel(broadcastNames(root.id).hello);
  try {
    const links = [{ id: 5, name: "worker-5", kind: "foreign" } as const, main];
    const exit = { reason: "terminated", exitCode: 1 } as const;
    parent.postMessage({ t: "service", name: "counts", url: service });
    hello.postMessage({ links, bell: newDoorbell() });
    record.drain();
    while (supervisor.thread(5) === undefined) await new Promise(setImmediate);
    hello.postMessage({ from: 5, message: { t: "gone", id: 5, exit } });
    supervisor.gone(supervisor.thread(5) as ThreadRecord, exit);
    expect(gone).toEqual([5]);
  } finally {
    hello.close();
    record.close();
  }
});
