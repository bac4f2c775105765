import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import { hasAnswers, mustWake, newAnswerRing, readAnswers, rest, writeAnswer } from "../src/wire/answer-ring.ts";

/** Lehmer's generator: numbers from 0 to 1, the same for one seed. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

const values = [
  undefined,
  null,
  true,
  false,
  0,
  -1,
  2 ** 31 - 1,
  -(2 ** 31),
  2 ** 31,
  0.1,
  Number.NaN,
  Number.NEGATIVE_INFINITY,
  "",
  "x",
  "twó",
  "\u0000 😀 \ud800 a lone surrogate",
  "y".repeat(256),
  "ÿ".repeat(257),
  `${"z".repeat(16_383)}ÿ`,
  "ŷ".repeat(8_192),
  `\ud800 a lone surrogate ${"😀".repeat(200)}`,
];

test("what is written comes out the same, in its order", () => {
  const ring = newAnswerRing();
  values.forEach((value, n) => {
    expect(writeAnswer(ring, n + 1, value)).toBe(true);
  });
  const read: [number, unknown][] = [];
  expect(readAnswers(ring, (callId, value) => read.push([callId, value]))).toBe(values.length);
  expect(read).toEqual(values.map((value, n) => [n + 1, value]));
  expect(hasAnswers(ring)).toBe(false);
});

test("minus zero stays minus zero", () => {
  const ring = newAnswerRing();
  writeAnswer(ring, 1, -0);
  readAnswers(ring, (_, value) => expect(Object.is(value, -0)).toBe(true));
});

test("what is no scalar, or a long text, is left to a message", () => {
  const ring = newAnswerRing();
  for (const value of [{}, [], 1n, Symbol("s"), () => 1, "z".repeat(16_385), "ŷ".repeat(8_193)])
    expect(writeAnswer(ring, 1, value)).toBe(false);
  expect(writeAnswer(ring, 2 ** 31, null)).toBe(false);
  expect(hasAnswers(ring)).toBe(false);
});

test("a full ring says so, and takes more when it was read", () => {
  const ring = newAnswerRing();
  let written = 0;
  while (writeAnswer(ring, written + 1, "sixteen letters!")) written += 1;
  expect(written).toBeGreaterThan(300);
  let expected = 0;
  const take = (callId: number, value: unknown): void => {
    expected += 1;
    expect([callId, value]).toEqual([expected, "sixteen letters!"]);
  };
  // Round and round, so that entries lie across the end of the memory.
  for (let round = 0; round < 50; round++) {
    readAnswers(ring, take);
    while (writeAnswer(ring, written + 1, "sixteen letters!")) written += 1;
  }
  readAnswers(ring, take);
  expect(expected).toBe(written);
});

test("texts of any length lie in one piece, round and round, between answers of other kinds", () => {
  const ring = newAnswerRing();
  const random = seeded(17);
  const written: unknown[] = [];
  const read: unknown[] = [];
  for (let n = 1; n <= 3_000; n++) {
    const length = Math.floor(random() ** 2 * 8_000);
    const value = n % 5 === 0 ? n : (n % 3 === 0 ? "ŷ" : "y").repeat(length) + n;
    while (!writeAnswer(ring, n, value)) readAnswers(ring, (_, taken) => read.push(taken));
    written.push(value);
  }
  readAnswers(ring, (_, taken) => read.push(taken));
  expect(read).toEqual(written);
});

test("a text finds no room where it would reach what is not read yet", () => {
  const ring = newAnswerRing();
  const text = "x".repeat(16_000);
  const count = (): number => {
    let written = 0;
    while (writeAnswer(ring, written + 1, text)) written += 1;
    return written;
  };
  expect(count()).toBe(4);
  let read = 0;
  readAnswers(ring, (_, value) => {
    read += 1;
    expect(value).toBe(text);
    if (read === 1) expect(count()).toBe(1); // in place of the one that was read, in one piece
  });
  expect(read).toBe(5);
});

test("answers written while others are read are read too, also by what is called in between", () => {
  const ring = newAnswerRing();
  writeAnswer(ring, 1, "first");
  const seen: unknown[] = [];
  readAnswers(ring, (_, value) => {
    seen.push(value);
    if (value === "first") {
      writeAnswer(ring, 2, "second");
      writeAnswer(ring, 3, "third");
      readAnswers(ring, (__, inner) => seen.push(inner));
      writeAnswer(ring, 4, "fourth");
    }
  });
  expect(seen).toEqual(["first", "second", "third", "fourth"]);
});

test("the reader is woken once for each rest", () => {
  const ring = newAnswerRing();
  expect([mustWake(ring), mustWake(ring)]).toEqual([true, false]);
  rest(ring);
  expect([mustWake(ring), mustWake(ring)]).toEqual([true, false]);
});

test("a hundred thousand answers from another thread arrive whole and in order", async () => {
  const ring = newAnswerRing();
  const url = new URL("../src/wire/answer-ring.ts", import.meta.url).href;
  const { transformSync } = await import("esbuild");
  const { readFileSync } = await import("node:fs");
  const code = transformSync(readFileSync(new URL(url), "utf8"), { loader: "ts", format: "cjs" }).code;
  const worker = new Worker(
    `${code}
    const { workerData: ring } = require("node:worker_threads");
    for (let n = 1; n <= 100000; n++) while (!module.exports.writeAnswer(ring, n, n % 3 === 0 ? n / 2 : n % 100 === 1 ? "x".repeat(n / 20) : String(n)));`,
    { eval: true, workerData: ring },
  );
  const ended = new Promise((resolve) => worker.once("exit", resolve));
  let last = 0;
  const take = (callId: number, value: unknown): void => {
    last += 1;
    const expected = last % 3 === 0 ? last / 2 : last % 100 === 1 ? "x".repeat(last / 20) : String(last);
    if (callId !== last || value !== expected) throw new Error(`answer ${last} came as ${callId}: ${String(value)}`);
  };
  while (last < 100_000) {
    readAnswers(ring, take);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await ended;
  expect(last).toBe(100_000);
});
