/**
 * The default pool exists once, whoever needs it first. Whether it is there stands in a word of memory that all threads
 * share; threads that look before they sleep (on machines of two cores and more) once wrote their leases into that very
 * word, and the root, which then found nothing, made a second pool.
 */
import { expect, test } from "vitest";
import { runScript } from "./support/scripts.ts";

test("a root that has blocked many times finds the default pool that a child needed first", async () => {
  expect(await runScript("one-default-pool.mjs")).toEqual({ code: 0, stdout: "other,duck:threaded\n" });
});
