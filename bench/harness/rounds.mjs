import { setTimeout as delay } from "node:timers/promises";

/**
 * Measures contenders in turns, so that a machine that gets slower or faster meets all of them alike. Each round
 * begins with another one. The first turn of each is warm-up and not kept.
 *
 * @param contenders name -> a function that measures once and gives a number, or an object of numbers
 * @returns name -> what was measured, a value a round
 */
export async function alternate(rounds, contenders, { warmUp = true, pauseMs = 50 } = {}) {
  const names = Object.keys(contenders);
  const samples = Object.fromEntries(names.map((name) => [name, []]));
  if (warmUp) for (const name of names) await contenders[name]({ warmUp: true });
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(round + turn) % names.length];
      // What the one before has left to collect or to write shall not be charged to this one.
      globalThis.gc?.();
      await delay(pauseMs);
      samples[name].push(await contenders[name]({ warmUp: false }));
    }
  }
  return samples;
}

/** Of samples that are objects, one of their numbers. */
export function pick(samples, key) {
  return Object.fromEntries(Object.entries(samples).map(([name, values]) => [name, values.map((value) => value[key])]));
}
