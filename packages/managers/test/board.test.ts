import { expect, test, vi } from "vitest";
import * as board from "../src/board.ts";

test("a task joins a place from which another leaves in that very moment", () => {
  const block = board.newBlock();
  block[board.PLACE] = board.FREE;
  expect(board.takePlace(block, 3)).toBe(true);
  expect(board.joinPlace(block, 3, 100)).toBe(true);
  const load = Atomics.load;
  const spy = vi.spyOn(Atomics, "load").mockImplementationOnce(((words: Int32Array, index: number) => {
    const place = load(words, index);
    board.leavePlace(block);
    return place;
  }) as typeof Atomics.load);
  try {
    expect(board.joinPlace(block, 3, 100)).toBe(true);
  } finally {
    spy.mockRestore();
  }
  expect(board.tasksBefore(block[board.PLACE] as number)).toBe(2);
  expect(board.joinPlace(block, 4, 100)).toBe(false);
});

test("a second stop does not change from when on tasks count as ended by the stop", () => {
  const head = board.newHead();
  Atomics.store(head, board.STATE, board.RUNNING);
  Atomics.store(head, board.COMPLETED, 3);
  expect(board.beginStopping(head)).toBe(board.RUNNING);
  Atomics.store(head, board.COMPLETED, 5);
  expect(board.beginStopping(head)).toBe(board.STOPPING);
  expect(head[board.ENDED_BEFORE]).toBe(3);
});

test("a loop's thread that was given up sees that its tasks were counted as lost, and counts them no more", () => {
  const port = board.newPortWords();
  Atomics.store(port, board.PORT_SENT, 5);
  Atomics.store(port, board.PORT_BEGUN, 3);
  Atomics.store(port, board.PORT_ENDED, 1);
  expect(board.closePort(port)).toEqual({ begun: 2, waiting: 2 });
  expect(port[board.PORT_SENT_AT_CLOSE]).toBe(5);
  expect(Atomics.add(port, board.PORT_ENDED, 1)).toBeLessThan(0);
  expect(Atomics.add(port, board.PORT_SENT, 1)).toBeLessThan(0);
});

test("a task that is refused as its worker is given up is counted once: with the place, or as refused", () => {
  const block = board.newBlock();
  block[board.PLACE] = board.FREE;
  board.takePlace(block, 3);
  board.joinPlace(block, 3, 100);
  board.leaveRefused(block);
  const given = Atomics.exchange(block, board.PLACE, board.EMPTY);
  board.leaveRefused(block);
  expect(board.tasksBefore(given) + (block[board.REFUSED] as number)).toBe(2);
});
