import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Doubts } from "../src/supervisor/doubts.ts";
import type { Deadlock } from "../src/supervisor/waits.ts";

const circle = (name: string, believed: readonly number[], standing: readonly number[] = []): Deadlock => ({
  victim: 1,
  cycle: [name],
  standing,
  believed,
});

/** Doubts about `stands`, with the questions that it asked and what it told. */
function doubtful(stands: Deadlock): {
  readonly doubts: Doubts;
  readonly asked: { thread: number; number: number }[];
  readonly told: Deadlock[];
  standing: Deadlock | undefined;
} {
  const asked: { thread: number; number: number }[] = [];
  const told: Deadlock[] = [];
  const scene = { asked, told, standing: stands as Deadlock | undefined };
  const doubts = new Doubts({
    find: () => scene.standing,
    askStands: (thread, number) => void asked.push({ thread, number }),
    askQuiet: (thread, number) => void asked.push({ thread, number }),
    tell: (deadlock) => void told.push(deadlock),
  });
  return Object.assign(scene, { doubts });
}

describe("a deadlock in which tasks await", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("is certain when each thread has twice said that it has nothing else to go on", () => {
    const scene = doubtful(circle("a", [2, 3]));
    scene.doubts.look();
    for (const round of [1, 2]) {
      vi.runAllTimers();
      expect(scene.asked.map(({ thread }) => thread)).toEqual([2, 3, 2, 3].slice(0, 2 * round));
      expect(scene.told).toEqual([]);
      for (const { number } of scene.asked.slice(-2)) scene.doubts.answered(number, true);
    }
    expect(scene.told).toEqual([circle("a", [2, 3])]);
  });

  it("is none while one of them has a timer, and is asked about again later", () => {
    const scene = doubtful(circle("a", [2]));
    scene.doubts.look();
    scene.doubts.answered(1, false);
    scene.doubts.look(); // others wait meanwhile: no reason to ask at once
    expect(scene.asked).toHaveLength(1);
    vi.advanceTimersByTime(1_000);
    expect(scene.asked).toHaveLength(2);
    expect(scene.told).toEqual([]);
  });

  it.each([
    ["before the second question", 1],
    ["while the second question is under way", 2],
  ])("is none if it has changed %s", (_, rounds) => {
    const scene = doubtful(circle("a", [2]));
    scene.doubts.look();
    if (rounds === 2) {
      scene.doubts.answered(1, true);
      vi.runAllTimers();
    }
    scene.standing = undefined;
    scene.doubts.answered(rounds, true);
    vi.runAllTimers();
    expect(scene.told).toEqual([]);
    scene.standing = circle("b", [4]);
    scene.doubts.look();
    expect(scene.asked.at(-1)).toMatchObject({ thread: 4 });
    scene.doubts.answered(1, true); // an old answer
    expect(scene.told).toEqual([]);
  });
});

describe("a deadlock of threads that stand still", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("is certain, at once, when each of them has taken all that had come and still waits", () => {
    const scene = doubtful(circle("a", [], [1, 2]));
    scene.doubts.look();
    expect(scene.asked.map(({ thread }) => thread)).toEqual([1, 2]);
    scene.doubts.answered(2, true);
    expect(scene.told).toEqual([]);
    scene.doubts.answered(1, true);
    expect(scene.told).toEqual([circle("a", [], [1, 2])]);
  });

  it("is none where one of them had its answer and had not taken it yet", () => {
    // The story: on a busy machine a thread whose answer was there had not woken when its answerer came to wait for it.
    const scene = doubtful(circle("a", [], [1, 2]));
    scene.doubts.look();
    scene.doubts.answered(1, true);
    scene.doubts.answered(2, false);
    scene.standing = undefined; // and it says so
    vi.runAllTimers();
    expect(scene.told).toEqual([]);
  });

  it("in which tasks await as well is asked about twice, of all of them", () => {
    const scene = doubtful(circle("a", [3], [1]));
    scene.doubts.look();
    for (const { number } of [...scene.asked]) scene.doubts.answered(number, true);
    expect(scene.told).toEqual([]);
    vi.runAllTimers();
    expect(scene.asked.map(({ thread }) => thread)).toEqual([1, 3, 1, 3]);
    for (const { number } of scene.asked.slice(2)) scene.doubts.answered(number, true);
    expect(scene.told).toHaveLength(1);
  });
});
