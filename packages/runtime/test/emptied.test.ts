/** What structured clone would take and empty: refused by name, with the path to it and what to do instead. */
import { transferableAbortSignal } from "node:util";
import { MessageChannel, receiveMessageOnPort, type Transferable } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import { DataNotCloneableError } from "../src/errors.ts";
import { findNotCloneable } from "../src/wire/clone-path.ts";
import { describeError } from "../src/wire/error-kind.ts";
import { encodeValue } from "../src/wire/value-codec.ts";

function refusal(value: unknown): unknown {
  try {
    return encodeValue(value, [], "args");
  } catch (error) {
    return error;
  }
}

class OwnUrl extends URL {}
class Job extends EventTarget {
  id = 7;
}
class Row {
  id = 1;
  get [Symbol.toStringTag](): string {
    throw new Error("nobody asked");
  }
}

describe("an object of the platform whose state is not in its fields", () => {
  test.each([
    ["an AbortSignal", new AbortController().signal, /options\.signal .* taskSignal\(\)/],
    ["an AbortSignal", AbortSignal.timeout(1e9), /options\.signal/],
    ["an AbortController", new AbortController(), /options\.signal/],
    ["a URL", new URL("http://x/"), /url\.href/],
    ["a URL", new OwnUrl("http://x/"), /url\.href/],
    ["a URLSearchParams", new URLSearchParams("a=1"), /String\(params\)/],
    ["a Headers", new Headers({ a: "1" }), /\[\.\.\.headers\]/],
    ["a FormData", new FormData(), /\[\.\.\.form\]/],
    ["a Request", new Request("http://x/"), /what you need/],
    ["a Response", new Response("x"), /what you need/],
    ["a WeakMap", new WeakMap(), /plain data/],
    ["a Promise", Promise.resolve(), /plain data/],
  ])("%s is refused wherever it stands, with its path and advice", (found, value, advice) => {
    const isEmptied = !/WeakMap|Promise/.test(found);
    for (const [where, path] of [
      [[value], "args[0]"],
      [[1, { user: new Map([["a", [value]]]) }], 'args[1].user.get("a")[0]'],
      [[new Date(), Object.assign(new Row(), { value })], "args[1].value"],
    ] as const) {
      // The others are refused by structured clone itself, when they are posted.
      if (!isEmptied) expect(findNotCloneable(where, "args", [], () => true).culprit).toMatchObject({ path, found });
      else {
        expect(refusal(where)).toBeInstanceOf(DataNotCloneableError);
        expect(refusal(where)).toMatchObject({ path, found, message: expect.stringMatching(advice) });
      }
    }
  });

  test("a signal that is made transferable, and listed, crosses", () => {
    const controller = new AbortController();
    const signal = transferableAbortSignal(controller.signal);
    const transfer = [signal as unknown as Transferable];
    const { port1, port2 } = new MessageChannel();
    port1.postMessage(encodeValue([{ signal }], transfer, "args").value, transfer);
    const got = receiveMessageOnPort(port2) as { message: [{ signal: AbortSignal }] };
    expect(got.message[0].signal.aborted).toBe(false);
    port1.close();
  });

  test("instances of classes that lose nothing but their methods cross as before", () => {
    for (const value of [new Job(), new Row(), [new Job(), new Date()], { job: new Job() }])
      expect(encodeValue(value, [])).toEqual({ value, specials: undefined });
  });

  test("as a field of an error it is told in words, and the error crosses", () => {
    const error = Object.assign(new Error("failed"), { url: new URL("http://x/y") });
    const crosses = (value: unknown): boolean => findNotCloneable(value, "", [], () => true).culprit === undefined;
    expect(describeError(error, crosses).fields?.["url"]).toContain("http://x/y");
  });
});
