/**
 * What both managers promise, on every seat from which they can be used. The cases are in fixtures/contract.mjs. In the
 * blocking mode every thread above the seat stands still as well: the owner of an inherited manager need not be free.
 */
import { Worker } from "node:worker_threads";
import {
  getOrCreateLoopManager,
  getOrCreateThreadManager,
  type LoopManager,
  type ThreadPoolManager,
} from "@duck-ts/managers";
import { currentThread } from "@duck-ts/runtime";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  cases,
  type Outcomes,
  runCases,
  runCasesInChild,
  runCasesInChildBlocked,
  runCasesInTask,
  type Where,
} from "./fixtures/contract.mjs";
import * as tasks from "./fixtures/tasks.mjs";
import { outcome } from "./support/gates.ts";
import { type Kind, kinds, quiet } from "./support/managers.ts";
import { contractInRawWorker } from "./support/raw-worker.ts";

const SEAT_MS = 60_000;
/** A grace that no machine is too busy for: whoever waits for a task to be told waits for that, not for this. */
const PATIENCE_MS = 60_000;
const modes = ["awaiting", "blocking"] as const;

const seatPool = getOrCreateThreadManager("seats");
const seatLoop = getOrCreateLoopManager("seats");

type Future = ReturnType<ThreadPoolManager["submitTask"]>;

/** Awaits, or stands still for, what a seat says. */
const heard = async (future: Future, { mode }: Where): Promise<Outcomes> =>
  (mode === "blocking" ? future.result(SEAT_MS) : await future) as Outcomes;

/** A child of the same parents has died before: one by itself, one by the hand of another. */
async function afterSiblingsDied(where: Where): Promise<Outcomes> {
  expect(await outcome(seatPool.submitTask(tasks.exits(1), quiet))).toBe("WorkerCrashedError");
  const sibling = new Worker("setInterval(() => {}, 1000)", { eval: true });
  await new Promise((resolve) => sibling.once("online", resolve));
  await sibling.terminate();
  return heard(seatPool.submitTask(runCasesInTask(where), quiet), where);
}

const seats: Readonly<Record<string, (where: Where) => Promise<Outcomes>>> = {
  "by its owner, the main thread": (where) => runCases(where),
  "by an heir in a pool's worker": (where) => heard(seatPool.submitTask(runCasesInTask(where), quiet), where),
  "by an heir on a loop's thread": (where) => heard(seatLoop.submitTask(runCasesInTask(where), quiet), where),
  "by an heir in a raw Worker": contractInRawWorker,
  "by a grandchild: a loop's thread below a pool's worker": (where) => {
    const child = where.mode === "blocking" ? runCasesInChildBlocked : runCasesInChild;
    return heard(seatPool.submitTask(child(where, "loop"), quiet), where);
  },
  "by a grandchild: a pool's worker below a loop's thread": (where) => {
    const child = where.mode === "blocking" ? runCasesInChildBlocked : runCasesInChild;
    return heard(seatLoop.submitTask(child(where, "thread"), quiet), where);
  },
  "by an heir whose siblings have died": afterSiblingsDied,
};

function target(kind: Kind, id: string): (LoopManager | ThreadPoolManager)[] {
  const managers =
    kind === "loop"
      ? [
          getOrCreateLoopManager(id).start({ abortGraceMs: 400 }),
          getOrCreateLoopManager(`${id}-guarded`).start({ taskType: "crypto" }),
          getOrCreateLoopManager(`${id}-patient`).start({ abortGraceMs: PATIENCE_MS }),
        ]
      : [
          getOrCreateThreadManager(id).start({ maxWorkers: 2, abortGraceMs: 50 }),
          getOrCreateThreadManager(`${id}-guarded`).start({ maxWorkers: 1, maxQueue: 1, taskType: "crypto" }),
          getOrCreateThreadManager(`${id}-patient`).start({ maxWorkers: 2, abortGraceMs: PATIENCE_MS }),
        ];
  expect(managers.every(({ owner }) => owner.id === currentThread().id)).toBe(true);
  return managers;
}

beforeAll(() => {
  seatPool.start({ maxWorkers: 1 });
  seatLoop.start();
});

afterAll(async () => {
  await Promise.all([seatPool.stop({ timeoutMs: 0 }), seatLoop.stop({ timeoutMs: 0 })]);
});

let ids = 0;

for (const kind of kinds) {
  for (const mode of modes) {
    for (const [seat, take] of Object.entries(seats)) {
      describe(`a ${kind === "loop" ? "loop" : "pool"} used ${mode} ${seat}`, () => {
        let outcomes: Outcomes = {};
        let managers: (LoopManager | ThreadPoolManager)[] = [];

        beforeAll(async () => {
          ids += 1;
          managers = target(kind, `target-${ids}`);
          outcomes = await take({ kind, id: `target-${ids}`, mode });
        }, SEAT_MS);

        afterAll(async () => {
          await Promise.all(managers.map((manager) => manager.stop({ timeoutMs: 0 })));
        });

        test.each(Object.keys(cases))("%s", (name) => {
          expect(outcomes[name]).toBe("ok");
        });
      });
    }
  }
}
