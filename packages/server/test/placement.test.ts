import { expect, test } from "vitest";
import {
  HEAVY_PATIENCE_MS,
  LIGHT_BUDGET_US,
  place,
  type RequestLoad,
  type WorkerLoad,
} from "../src/engine/placement.ts";

const idle: WorkerLoad = { usable: true, hasRoom: true, expectedUs: 0, exclusive: 0, awaiting: 0, busy: 0 };
const light: RequestLoad = { kind: "light", async: false, waitedMs: 0, costUs: 20, behind: 0 };
const async: RequestLoad = { ...light, async: true };
const heavy: RequestLoad = { ...light, kind: "heavy", costUs: 5000 };
const unknown: RequestLoad = { ...light, kind: "unknown", costUs: 2000 };

test("light requests fill the workers from the left, heavy ones from the right", () => {
  expect(place(light, [idle, idle, idle], true)).toBe(0);
  expect(place(heavy, [idle, idle, idle], true)).toBe(2);
  expect(place(unknown, [idle, idle, idle], true)).toBe(2);
});

test("a worker with a heavy request gets no light one", () => {
  expect(
    place(
      light,
      [
        { ...idle, exclusive: 1 },
        { ...idle, expectedUs: 3000 },
      ],
      true,
    ),
  ).toBe(1);
  expect(place(light, [{ ...idle, exclusive: 1 }], true)).toBe(-1);
});

test("one worker is left to the light ones while there are any", () => {
  expect(place(heavy, [idle, { ...idle, exclusive: 1 }], true)).toBe(-1);
  expect(place(heavy, [idle, { ...idle, exclusive: 1 }], false)).toBe(0);
});

test("a single worker takes both in turn", () => {
  expect(place(heavy, [{ ...idle, expectedUs: 100 }], true)).toBe(0);
  expect(place(light, [idle], true)).toBe(0);
});

test("light ones spread when the first worker has enough, and wait on main when all have", () => {
  expect(place(light, [{ ...idle, expectedUs: 1000 }, idle], true)).toBe(1);
  const full = { ...idle, expectedUs: LIGHT_BUDGET_US };
  expect(place(light, [full, full], true)).toBe(-1);
});

test("a synchronous request keeps off a thread where others await, while another one is free", () => {
  const awaiting = { ...idle, awaiting: 5 };
  expect(place(light, [awaiting, idle], true)).toBe(1);
  expect(place(heavy, [idle, awaiting], false)).toBe(0);
  expect(place(unknown, [idle, awaiting], true)).toBe(0);
});

test("async requests share a thread", () => {
  expect(place(async, [{ ...idle, awaiting: 50 }, idle], true)).toBe(0);
});

test("a heavy request waits for a calm thread, and not for ever", () => {
  const workers = [
    { ...idle, awaiting: 1 },
    { ...idle, exclusive: 1 },
  ];
  expect(place(heavy, workers, false)).toBe(-1);
  expect(place({ ...heavy, waitedMs: HEAVY_PATIENCE_MS }, workers, false)).toBe(0);
});

test("blocked, leaving and full workers get nothing", () => {
  expect(
    place(
      light,
      [
        { ...idle, usable: false },
        { ...idle, hasRoom: false },
      ],
      true,
    ),
  ).toBe(-1);
  expect(place(heavy, [{ ...idle, usable: false }], true)).toBe(-1);
});

test("a worker whose loop is busy is avoided", () => {
  expect(place(async, [{ ...idle, busy: 0.95 }, idle], true)).toBe(1);
});

test("of many short heavy requests that wait, one waits with each thread for the one before it", () => {
  const held = { ...idle, exclusive: 1 };
  const ahead = { ...idle, exclusive: 2 };
  const many = { ...heavy, behind: 3 };
  expect(place(many, [held, held, held], false)).toBe(2);
  expect(place(many, [idle, held, ahead], true)).toBe(1);
  expect(place(many, [idle, ahead, ahead], true)).toBe(-1);
  expect(place(many, [held, { ...held, usable: false }, { ...held, awaiting: 1 }], false)).toBe(0);
});

test("none waits with a thread while another may be free sooner, or where it could be held for long", () => {
  const held = { ...idle, exclusive: 1 };
  expect(place({ ...heavy, behind: 2 }, [held, held, held], false)).toBe(-1);
  expect(place({ ...heavy, behind: 9, costUs: 20_000 }, [held, held], false)).toBe(-1);
  expect(place({ ...unknown, behind: 9 }, [held, held], false)).toBe(-1);
  expect(place({ ...heavy, behind: 9 }, [held], true)).toBe(-1);
});
