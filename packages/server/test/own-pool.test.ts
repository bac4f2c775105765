/** Handlers that block on tasks of the request-handling pool, in one of whose threads they are. */
import { expect, test } from "vitest";
import { gate, start, until } from "./support/server.ts";

type Answer = { me: string; ran?: string; error?: string };

async function serve(maxWorkers: number) {
  gate[0] = 0;
  const server = await start("own-pool.ts", { requestHandling: { maxWorkers, timeoutMs: 10_000 } });
  await until(() => server.stats().workers.ready === maxWorkers);
  return async (path: string): Promise<Answer> =>
    (await (await fetch(server.at + path, { method: "POST" })).json()) as Answer;
}

test("an asynchronous one runs in another thread", async () => {
  const ask = await serve(2);
  for (let turn = 0; turn < 4; turn++) {
    const { me, ran } = await ask("/later");
    expect(ran).toMatch(/^request-/);
    expect(ran).not.toBe(me);
  }
});

test("where there is no other thread a synchronous one runs there and then, an asynchronous one is a deadlock", async () => {
  const ask = await serve(1);
  expect(await ask("/now")).toEqual({ me: "request-1", ran: "request-1" });
  expect(await ask("/later")).toEqual({ me: "request-1", error: "DUCK_DEADLOCK" });
  expect(await ask("/now")).toEqual({ me: "request-1", ran: "request-1" });
});

test("when all threads wait for each other one is told, and the others go on", async () => {
  const ask = await serve(2);
  const answers = await Promise.all([ask("/later-together/2"), ask("/later-together/2")]);
  const [told, answered] = answers.sort((a) => (a.error === undefined ? 1 : -1));
  expect(told).toEqual({ me: told?.me, error: "DUCK_DEADLOCK" });
  expect(answered).toEqual({ me: answered?.me, ran: told?.me });
});
