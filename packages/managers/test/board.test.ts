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
