import fc from "fast-check";
import { expect, test } from "vitest";
import { OpenTasks } from "../src/future/open-tasks.ts";

test("the open tasks of a thread are those that a Map would hold, in their order", () => {
  const steps = fc.array(fc.oneof(fc.record({ skip: fc.nat(700) }), fc.record({ settle: fc.nat(2_000) })), {
    maxLength: 300,
  });
  fc.assert(
    fc.property(steps, (script) => {
      const open = new OpenTasks<object>();
      const model = new Map<number, object>();
      let last = 0;
      for (const step of script) {
        if ("skip" in step) {
          last += 1 + step.skip; // numbers grow; some are used by futures that never get here
          const item = {};
          open.set(last, item);
          model.set(last, item);
        } else {
          const number = [...model.keys()][step.settle % Math.max(1, model.size)] ?? step.settle;
          expect(open.delete(number)).toBe(model.delete(number));
          expect(open.get(number)).toBeUndefined();
        }
        expect(open.get(last)).toBe(model.get(last));
        expect([...open.values()]).toEqual([...model.values()]);
      }
    }),
    { seed: 20, numRuns: 100 },
  );
});
