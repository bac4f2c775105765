/** Threads that duck-ts did not make: a plain `new Worker()`, as user code or a library makes one. */
import { MessageChannel, receiveMessageOnPort, Worker } from "node:worker_threads";
import type { Outcomes, Where } from "../fixtures/contract.mjs";
import { blockUntilReached, newGate, within } from "./gates.ts";

type Said = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: string };

const seat = new URL("../fixtures/raw-seat.mjs", import.meta.url);

function unwrap(said: Said): unknown {
  if (said.ok) return said.value;
  throw new Error(said.error);
}

/** Runs a task of fixtures/tasks.mjs, given by its export's name, as code of a raw Worker. */
export async function inRawWorker(name: string, ...args: readonly unknown[]): Promise<unknown> {
  const worker = new Worker(seat, { workerData: { call: [name, args] } });
  try {
    const said = await within(
      new Promise<Said>((resolve, reject) => {
        worker.once("message", resolve);
        worker.once("error", reject);
        worker.once("exit", (code) => reject(new Error(`the raw worker exited with ${code} and said nothing`)));
      }),
      `a raw worker to run ${name}`,
    );
    return unwrap(said);
  } finally {
    await worker.terminate();
  }
}

export async function contractInRawWorker(where: Where): Promise<Outcomes> {
  const done = newGate();
  const { port1: answers, port2: port } = new MessageChannel();
  const worker = new Worker(seat, { workerData: { where, done, port }, transferList: [port] });
  try {
    if (where.mode === "awaiting") {
      return unwrap(
        await within(new Promise<Said>((resolve) => answers.once("message", resolve)), "a raw worker", 60_000),
      ) as Outcomes;
    }
    blockUntilReached(done, 60_000);
    const received = receiveMessageOnPort(answers) as { message: Said } | undefined;
    return unwrap(received?.message ?? { ok: false, error: "the raw worker said nothing" }) as Outcomes;
  } finally {
    answers.close();
    await worker.terminate();
  }
}
