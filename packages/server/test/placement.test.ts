import { expect, test } from "vitest";
import {
  HEAVY_PATIENCE_MS,
  LIGHT_BUDGET_US,
  place,
  type RequestLoad,
  type WorkerLoad,
} from "../src/engine/placement.ts";

const idle: WorkerLoad = { usable: true, hasRoom: true, expectedUs: 0, exclusive: 0, awaiting: 0, busy: 0 };
const light: RequestLoad = { kind: "light", async: false, waitedMs: 0 };
const async: RequestLoad = { kind: "light", async: true, waitedMs: 0 };
const heavy: RequestLoad = { kind: "heavy", async: false, waitedMs: 0 };
const unknown: RequestLoad = { kind: "unknown", async: false, waitedMs: 0 };

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
