import { MessageChannel } from "node:worker_threads";
import type { ThreadRecord } from "@duck-ts/runtime/internal";
import { expect, test } from "vitest";
import * as board from "../src/board.ts";
import { PoolWorker } from "../src/supervisor/pool-worker.ts";

test("submitters have numbers of their own, and those of the dead are given again", () => {
  const { port1, port2 } = new MessageChannel();
  const thread = (id: number): ThreadRecord => ({ id }) as ThreadRecord;
  const worker = new PoolWorker(1, port1, board.newBlock(), thread(0), board.newHead());
  const submitters = Array.from({ length: board.SEATS }, (_, n) => thread(n + 1));
  expect(submitters.map((submitter) => worker.seat(submitter))).toEqual(submitters.map((_, n) => n));
  expect(worker.seat(submitters[3] as ThreadRecord)).toBeUndefined(); // it has one
  expect(worker.seat(thread(9999))).toBeUndefined(); // there are no more
  worker.left(7);
  expect(worker.submitters).toHaveLength(board.SEATS - 1);
  expect(worker.seat(thread(9999))).toBe(7);
  port1.close();
  port2.close();
});
