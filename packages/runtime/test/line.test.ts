/** The end of the supervisor as one thread's line sees it. The other end is played. */
import { expect, onTestFinished, test } from "vitest";
import type { DuckError } from "../src/errors.ts";
import { drainWhileBlocked } from "../src/future/doorbell.ts";
import { type Handlers, Line } from "../src/supervisor/line.ts";
import { rootShared, SUPERVISOR_STATE } from "../src/thread/identity.ts";
import type { FromSupervisor, ToSupervisor } from "../src/wire/messages.ts";

function play() {
  const [posted, waiting] = [[] as ToSupervisor[], [] as FromSupervisor[]];
  let isThere = true;
  let closed = (): void => undefined;
  const ended: DuckError[] = [];
  const handlers: Handlers = { events: new Map(), ended: new Set([(error: DuckError) => void ended.push(error)]) };
  const line = new Line(
    {
      post: (message) => {
        posted.push(message);
        return isThere;
      },
      receive: () => waiting.shift(),
      listen: (_, whenClosed) => {
        closed = whenClosed;
      },
      ref: () => undefined,
      unref: () => undefined,
      carriesPorts: true,
    },
    handlers,
  );
  return {
    line,
    handlers,
    ended,
    waiting,
    /** The supervisor ends. A blocked thread notices when it posts, another by the close of the port; often both. */
    ends: () => {
      isThere = false;
    },
    noticesByPosting: () => line.post({ t: "there" }),
    noticesByClose: () => closed(),
  };
}

test("an answer that was there before the supervisor ended counts; the other questions fail", async () => {
  const { line, waiting, ends, noticesByPosting } = play();
  const [answered, lost] = [line.askAsync("s", 1), line.askAsync("s", 2)];
  waiting.push({ t: "reply", seq: 1, ok: true, value: "in time" });
  ends();
  noticesByPosting();
  expect(await answered).toBe("in time");
  await expect(lost).rejects.toMatchObject({ code: "DUCK_SUPERVISOR_ENDED" });
});

test("what workers had answered before the supervisor ended counts before the rest fails", () => {
  const { handlers, ended, ends, noticesByPosting } = play();
  const order: string[] = [];
  onTestFinished(drainWhileBlocked({ drain: () => void order.push("answers") }));
  handlers.ended.add(() => void order.push("the end"));
  ends();
  noticesByPosting();
  expect(order).toEqual(["answers", "the end"]);
  expect(ended).toHaveLength(1);
});

test("the end is told once, however often it is noticed, and all threads below can read it", () => {
  const { line, ended, ends, noticesByClose, noticesByPosting } = play();
  Atomics.store(rootShared().words, SUPERVISOR_STATE, 2);
  ends();
  noticesByPosting();
  noticesByPosting();
  noticesByClose();
  expect(ended).toHaveLength(1);
  expect(Atomics.load(rootShared().words, SUPERVISOR_STATE)).toBe(3);
  expect(() => line.assertOpen()).toThrow(/has ended/);
});
